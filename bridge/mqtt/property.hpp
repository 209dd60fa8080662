// property.hpp: the properties of MQTT 5 packets: which there are, where each may stand, and how often.
//
// Source: MQTT 5 section 2.2.2, table 2-4.
#pragma once

#include "bridge/mqtt/protocol.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::bridge::mqtt {

enum class PropertyId : std::uint8_t {
    payload_format_indicator = 0x01,
    message_expiry_interval = 0x02,
    content_type = 0x03,
    response_topic = 0x08,
    correlation_data = 0x09,
    subscription_identifier = 0x0b,
    session_expiry_interval = 0x11,
    assigned_client_identifier = 0x12,
    server_keep_alive = 0x13,
    authentication_method = 0x15,
    authentication_data = 0x16,
    request_problem_information = 0x17,
    will_delay_interval = 0x18,
    request_response_information = 0x19,
    response_information = 0x1a,
    server_reference = 0x1c,
    reason_string = 0x1f,
    receive_maximum = 0x21,
    topic_alias_maximum = 0x22,
    topic_alias = 0x23,
    maximum_qos = 0x24,
    retain_available = 0x25,
    user_property = 0x26,
    maximum_packet_size = 0x27,
    wildcard_subscription_available = 0x28,
    subscription_identifier_available = 0x29,
    shared_subscription_available = 0x2a,
};

/// Where properties stand: in a packet, or in the will of CONNECT.
enum class PropertyPlace : std::uint8_t {
    connect,
    will,
    connack,
    publish_to_server,
    publish_to_client,
    acknowledgement,  ///< PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK, UNSUBACK
    subscribe,
    unsubscribe,
    disconnect_from_client,
    disconnect_from_server,
    auth,
};

using UserProperties = std::vector<std::pair<std::string_view, std::string_view>>;

/// One property. Which of the members holds its value follows from its type; a user property has name and text.
struct Property {
    PropertyId id{};
    std::uint32_t number = 0;
    std::string_view text;
    std::string_view name;
};

class WireReader;
class WireWriter;

/// Takes the properties, their length included, and calls `take` for each.
/// @return what is wrong: an unknown one, one that may not stand here, one that is there twice, one that is cut off, a
///         value that is forbidden for it
[[nodiscard]] std::optional<Fault> read_properties(WireReader& packet, PropertyPlace place,
                                                   const std::function<void(const Property&)>& take);

/// Gathers properties, to be written with their length in front.
class PropertyWriter {
 public:
    void number(PropertyId id, std::uint32_t value);
    void text(PropertyId id, std::string_view value);
    void user(const UserProperties& properties);
    /// Writes the number only where there is one, and where it is not what is meant without it.
    void number(PropertyId id, const std::optional<std::uint32_t>& value) {
        if (value) number(id, *value);
    }
    void text(PropertyId id, const std::optional<std::string_view>& value) {
        if (value) text(id, *value);
    }
    [[nodiscard]] const std::string& bytes() const { return bytes_; }

 private:
    std::string bytes_;
};

}  // namespace sluice::bridge::mqtt
