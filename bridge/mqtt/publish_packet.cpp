#include "bridge/mqtt/publish_packet.hpp"

#include "bridge/mqtt/packet_decode.hpp"

#include <string>

namespace sluice::bridge::mqtt {

Message to_message(const Publish& publish) {
    const auto& properties = publish.properties;
    Message message;
    message.topic = publish.topic;
    message.payload = publish.payload;
    message.qos = publish.qos;
    message.retain = publish.retain;
    for (const auto& [name, value] : properties.user) message.user_properties.emplace_back(name, value);
    if (properties.content_type) message.content_type = *properties.content_type;
    if (properties.response_topic) message.response_topic = *properties.response_topic;
    if (properties.correlation_data) message.correlation_data = *properties.correlation_data;
    message.payload_format_indicator = properties.payload_format_indicator;
    message.expiry_interval = properties.message_expiry_interval;
    return message;
}

void set_properties(const Message& message, MessageProperties& properties) {
    for (const auto& [name, value] : message.user_properties) properties.user.emplace_back(name, value);
    if (message.content_type) properties.content_type = *message.content_type;
    if (message.response_topic) properties.response_topic = *message.response_topic;
    if (message.correlation_data) properties.correlation_data = *message.correlation_data;
    properties.payload_format_indicator = message.payload_format_indicator;
}

std::optional<InboundPublish> message_of_packet(std::string_view packet, ProtocolVersion version) {
    const auto next = next_frame(packet, packet.size());
    const auto* frame = std::get_if<Frame>(&next);
    if (frame == nullptr || frame->size != packet.size() || frame->type() != PacketType::publish) return std::nullopt;
    const auto decoded = decode_publish(*frame, version, PropertyPlace::publish_to_client);
    const auto* publish = std::get_if<Publish>(&decoded);
    if (publish == nullptr) return std::nullopt;
    return InboundPublish{to_message(*publish), publish->packet_id};
}

}  // namespace sluice::bridge::mqtt
