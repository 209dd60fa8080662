#include "bridge/mqtt/packet_encode.hpp"

#include "bridge/mqtt/wire.hpp"
#include "storage/assert.hpp"

#include <algorithm>

namespace sluice::bridge::mqtt {

namespace {

/// The fixed header.
void begin(WireWriter& out, PacketType type, unsigned flags, std::size_t remaining) {
    SLUICE_ASSERT(remaining <= kVariableIntegerMax);
    out.byte(static_cast<unsigned>(type) << 4U | flags);
    out.variable_integer(static_cast<std::uint32_t>(remaining));
}

std::size_t size_with_length(const PropertyWriter& properties) {
    return variable_integer_size(static_cast<std::uint32_t>(properties.bytes().size())) + properties.bytes().size();
}

void put(WireWriter& out, const PropertyWriter& properties) {
    out.variable_integer(static_cast<std::uint32_t>(properties.bytes().size()));
    out.bytes(properties.bytes());
}

PropertyWriter publish_properties(const Publish& publish) {
    PropertyWriter properties;
    const auto& message = publish.properties;
    properties.number(PropertyId::payload_format_indicator, message.payload_format_indicator);
    properties.number(PropertyId::message_expiry_interval, message.message_expiry_interval);
    properties.number(PropertyId::topic_alias, publish.topic_alias);
    properties.text(PropertyId::response_topic, message.response_topic);
    properties.text(PropertyId::correlation_data, message.correlation_data);
    for (const auto id : publish.subscription_identifiers) properties.number(PropertyId::subscription_identifier, id);
    properties.text(PropertyId::content_type, message.content_type);
    properties.user(message.user);
    return properties;
}

std::size_t remaining_length(const Publish& publish, ProtocolVersion version, const PropertyWriter& properties) {
    return 2 + publish.topic.size() + (publish.qos > 0 ? 2 : 0) +
           (version == ProtocolVersion::v5 ? size_with_length(properties) : 0) + publish.payload.size();
}

bool is_failure(ReasonCode reason) {
    return static_cast<unsigned>(reason) >= 0x80;
}

}  // namespace

std::uint8_t connect_return_code(ReasonCode reason) {
    switch (reason) {
        case ReasonCode::success:
            return 0;
        case ReasonCode::unsupported_protocol_version:
            return 1;
        case ReasonCode::client_identifier_not_valid:
            return 2;
        case ReasonCode::bad_user_name_or_password:
            return 4;
        case ReasonCode::not_authorized:
        case ReasonCode::banned:
        case ReasonCode::bad_authentication_method:
            return 5;
        default:
            return 3;  // server unavailable
    }
}

void encode_connack(const ConnAck& connack, ProtocolVersion version, std::string& out_bytes) {
    WireWriter out(out_bytes);
    // With a failure there is no session to speak of [MQTT-3.2.2-6].
    const unsigned flags = connack.session_present && !is_failure(connack.reason) ? 1 : 0;
    if (version != ProtocolVersion::v5) {
        begin(out, PacketType::connack, 0, 2);
        out.byte(version == ProtocolVersion::v3_1 ? 0 : flags);
        out.byte(connect_return_code(connack.reason));
        return;
    }
    PropertyWriter properties;
    properties.number(PropertyId::session_expiry_interval, connack.session_expiry_interval);
    properties.number(PropertyId::receive_maximum, connack.receive_maximum);
    properties.number(PropertyId::maximum_qos, connack.maximum_qos);
    properties.number(PropertyId::retain_available, connack.retain_available);
    properties.number(PropertyId::maximum_packet_size, connack.maximum_packet_size);
    properties.text(PropertyId::assigned_client_identifier, connack.assigned_client_identifier);
    properties.number(PropertyId::topic_alias_maximum, connack.topic_alias_maximum);
    properties.text(PropertyId::reason_string, connack.reason_string);
    properties.number(PropertyId::server_keep_alive, connack.server_keep_alive);
    properties.text(PropertyId::response_information, connack.response_information);
    begin(out, PacketType::connack, 0, 2 + size_with_length(properties));
    out.byte(flags);
    out.byte(static_cast<unsigned>(connack.reason));
    put(out, properties);
}

void encode_publish(const Publish& publish, ProtocolVersion version, std::string& out_bytes) {
    WireWriter out(out_bytes);
    const auto properties = version == ProtocolVersion::v5 ? publish_properties(publish) : PropertyWriter();
    const unsigned flags =
        (publish.duplicate ? 8U : 0U) | static_cast<unsigned>(publish.qos) << 1U | (publish.retain ? 1U : 0U);
    begin(out, PacketType::publish, flags, remaining_length(publish, version, properties));
    out.binary(publish.topic);
    if (publish.qos > 0) out.two_bytes(publish.packet_id);
    if (version == ProtocolVersion::v5) put(out, properties);
    out.bytes(publish.payload);
}

std::size_t encoded_size(const Publish& publish, ProtocolVersion version) {
    const auto properties = version == ProtocolVersion::v5 ? publish_properties(publish) : PropertyWriter();
    const auto remaining = remaining_length(publish, version, properties);
    return 1 + variable_integer_size(static_cast<std::uint32_t>(remaining)) + remaining;
}

void encode_acknowledgement(const Acknowledgement& acknowledgement, ProtocolVersion version, std::string& out_bytes,
                            std::optional<std::string_view> reason_string) {
    WireWriter out(out_bytes);
    const unsigned flags = acknowledgement.type == PacketType::pubrel ? 2 : 0;
    const bool plain =
        version != ProtocolVersion::v5 || (acknowledgement.reason == ReasonCode::success && !reason_string);
    if (plain) {
        begin(out, acknowledgement.type, flags, 2);
        out.two_bytes(acknowledgement.packet_id);
        return;
    }
    PropertyWriter properties;
    properties.text(PropertyId::reason_string, reason_string);
    begin(out, acknowledgement.type, flags, 3 + size_with_length(properties));
    out.two_bytes(acknowledgement.packet_id);
    out.byte(static_cast<unsigned>(acknowledgement.reason));
    put(out, properties);
}

void encode_suback(std::uint16_t packet_id, const std::vector<ReasonCode>& reasons, ProtocolVersion version,
                   std::string& out_bytes) {
    WireWriter out(out_bytes);
    const bool v5 = version == ProtocolVersion::v5;
    begin(out, PacketType::suback, 0, 2 + (v5 ? 1 : 0) + reasons.size());
    out.two_bytes(packet_id);
    if (v5) out.byte(0);  // no properties
    for (const auto reason : reasons) out.byte(!v5 && is_failure(reason) ? 0x80U : static_cast<unsigned>(reason));
}

void encode_unsuback(std::uint16_t packet_id, const std::vector<ReasonCode>& reasons, ProtocolVersion version,
                     std::string& out_bytes) {
    WireWriter out(out_bytes);
    if (version != ProtocolVersion::v5) {
        begin(out, PacketType::unsuback, 0, 2);
        out.two_bytes(packet_id);
        return;
    }
    begin(out, PacketType::unsuback, 0, 3 + reasons.size());
    out.two_bytes(packet_id);
    out.byte(0);  // no properties
    for (const auto reason : reasons) out.byte(static_cast<unsigned>(reason));
}

void encode_pingresp(std::string& out_bytes) {
    WireWriter out(out_bytes);
    begin(out, PacketType::pingresp, 0, 0);
}

void encode_disconnect(ReasonCode reason, std::optional<std::string_view> reason_string, ProtocolVersion version,
                       std::string& out_bytes) {
    if (version != ProtocolVersion::v5) return;
    WireWriter out(out_bytes);
    PropertyWriter properties;
    properties.text(PropertyId::reason_string, reason_string);
    begin(out, PacketType::disconnect, 0, 1 + size_with_length(properties));
    out.byte(static_cast<unsigned>(reason));
    put(out, properties);
}

}  // namespace sluice::bridge::mqtt
