// packet.hpp: the control packets that a server takes, and those that it sends.
//
// Texts and payloads point into the bytes that a packet was decoded from: a packet lives no longer than these.
// Sources: MQTT 3.1.1 and MQTT 5, chapter 3.
#pragma once

#include "bridge/mqtt/property.hpp"
#include "bridge/mqtt/protocol.hpp"

#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

namespace sluice::bridge::mqtt {

/// What a message is beside topic and payload. It goes on to the subscribers unchanged [MQTT-3.3.2-4] and following.
struct MessageProperties {
    std::optional<std::uint32_t> payload_format_indicator{};
    std::optional<std::uint32_t> message_expiry_interval{};  ///< seconds
    std::optional<std::string_view> content_type{};
    std::optional<std::string_view> response_topic{};
    std::optional<std::string_view> correlation_data{};
    UserProperties user{};
};

struct Will {
    std::string_view topic;
    std::string_view payload;
    std::uint8_t qos = 0;
    bool retain = false;
    std::uint32_t delay_interval = 0;  ///< seconds
    MessageProperties properties;
};

struct Connect {
    ProtocolVersion version = ProtocolVersion::v5;
    bool clean_start = false;
    std::uint16_t keep_alive = 0;  ///< seconds; 0: none
    std::string_view client_id;
    std::optional<Will> will{};
    std::optional<std::string_view> user_name{};
    std::optional<std::string_view> password{};
    // MQTT 5:
    std::uint32_t session_expiry_interval = 0;  ///< seconds; 0xFFFFFFFF: for ever
    std::uint16_t receive_maximum = 65'535;
    std::optional<std::uint32_t> maximum_packet_size{};
    std::uint16_t topic_alias_maximum = 0;
    bool request_response_information = false;
    bool request_problem_information = true;
    std::optional<std::string_view> authentication_method{};
    std::optional<std::string_view> authentication_data{};
    UserProperties user{};
};

struct Publish {
    std::string_view topic;  ///< empty: as the alias says
    std::string_view payload;
    std::uint16_t packet_id = 0;  ///< of QoS 1 and 2
    std::uint8_t qos = 0;
    bool retain = false;
    bool duplicate = false;
    std::optional<std::uint32_t> topic_alias{};
    std::vector<std::uint32_t> subscription_identifiers;  ///< from a server only
    MessageProperties properties;
};

/// PUBACK, PUBREC, PUBREL or PUBCOMP, as `type` says.
struct Acknowledgement {
    PacketType type = PacketType::puback;
    std::uint16_t packet_id = 0;
    ReasonCode reason = ReasonCode::success;
};

enum class RetainHandling : std::uint8_t { send = 0, send_if_new = 1, dont_send = 2 };

struct Subscription {
    std::string_view filter;
    std::uint8_t qos = 0;
    bool no_local = false;
    bool retain_as_published = false;
    RetainHandling retain_handling = RetainHandling::send;
};

struct Subscribe {
    std::uint16_t packet_id = 0;
    std::optional<std::uint32_t> identifier{};
    std::vector<Subscription> subscriptions;
};

struct Unsubscribe {
    std::uint16_t packet_id = 0;
    std::vector<std::string_view> filters;
};

struct Ping {};

struct Disconnect {
    ReasonCode reason = ReasonCode::success;
    std::optional<std::uint32_t> session_expiry_interval{};  ///< from a client only
};

struct Auth {
    ReasonCode reason = ReasonCode::success;
    std::optional<std::string_view> method{};
    std::optional<std::string_view> data{};
};

using ClientPacket = std::variant<Connect, Publish, Acknowledgement, Subscribe, Unsubscribe, Ping, Disconnect, Auth>;

}  // namespace sluice::bridge::mqtt
