// packet_encode.hpp: the packets that a server sends, as bytes.
//
// Each function appends one whole packet to `out`. With MQTT 3.1.1 what that version has no place for is left out.
// Pure functions: thread-safe.
#pragma once

#include "bridge/mqtt/packet.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::bridge::mqtt {

/// Acknowledges CONNECT. What is not given is what a client assumes without it.
struct ConnAck {
    bool session_present = false;
    ReasonCode reason = ReasonCode::success;
    std::optional<std::uint32_t> session_expiry_interval{};
    std::optional<std::uint32_t> receive_maximum{};
    std::optional<std::uint32_t> maximum_qos{};
    std::optional<std::uint32_t> retain_available{};
    std::optional<std::uint32_t> maximum_packet_size{};
    std::optional<std::uint32_t> topic_alias_maximum{};
    std::optional<std::uint32_t> server_keep_alive{};
    std::optional<std::string_view> assigned_client_identifier{};
    std::optional<std::string_view> reason_string{};
    std::optional<std::string_view> response_information{};
};

/// The return code of MQTT 3.1.1 that comes nearest to a reason (section 3.2.2.3).
[[nodiscard]] std::uint8_t connect_return_code(ReasonCode reason);

void encode_connack(const ConnAck& connack, ProtocolVersion version, std::string& out);
void encode_publish(const Publish& publish, ProtocolVersion version, std::string& out);
/// How many bytes encode_publish() will append.
[[nodiscard]] std::size_t encoded_size(const Publish& publish, ProtocolVersion version);
/// @param reason_string  for people; left out with MQTT 3.1.1
void encode_acknowledgement(const Acknowledgement& acknowledgement, ProtocolVersion version, std::string& out,
                            std::optional<std::string_view> reason_string = std::nullopt);
/// @param reasons  one for each filter of the SUBSCRIBE; with MQTT 3.1.1 all failures are 0x80
void encode_suback(std::uint16_t packet_id, const std::vector<ReasonCode>& reasons, ProtocolVersion version,
                   std::string& out);
/// @param reasons  one for each filter of the UNSUBSCRIBE; left out with MQTT 3.1.1
void encode_unsuback(std::uint16_t packet_id, const std::vector<ReasonCode>& reasons, ProtocolVersion version,
                     std::string& out);
void encode_pingresp(std::string& out);
/// With MQTT 3.1.1 a server has no DISCONNECT, and nothing is appended.
void encode_disconnect(ReasonCode reason, std::optional<std::string_view> reason_string, ProtocolVersion version,
                       std::string& out);

}  // namespace sluice::bridge::mqtt
