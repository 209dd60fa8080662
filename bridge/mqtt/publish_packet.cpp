#include "bridge/mqtt/publish_packet.hpp"

#include <string>
#include <utility>

namespace sluice::bridge::mqtt {

namespace {

constexpr unsigned kPublishType = 3;

/// Takes fields off the front of a packet; after the first one that is cut off, ok() is false and all else is empty.
class Fields {
 public:
    explicit Fields(std::string_view bytes) : bytes_(bytes) {}

    [[nodiscard]] bool ok() const { return ok_; }
    [[nodiscard]] bool empty() const { return bytes_.empty(); }
    [[nodiscard]] std::string_view rest() const { return bytes_; }

    std::string_view bytes(std::size_t size) {
        if (!ok_ || size > bytes_.size()) {
            ok_ = false;
            return {};
        }
        const auto taken = bytes_.substr(0, size);
        bytes_.remove_prefix(size);
        return taken;
    }

    std::uint32_t integer(std::size_t size) {
        std::uint32_t value = 0;
        for (const char byte : bytes(size)) value = (value << 8U) | static_cast<unsigned char>(byte);
        return value;
    }

    /// A variable byte integer (MQTT 5 section 1.5.5), as in the remaining length.
    std::uint32_t variable_integer() {
        std::uint32_t value = 0;
        for (unsigned shift = 0; shift <= 21; shift += 7) {
            const auto byte = integer(1);
            value |= (byte & 0x7fU) << shift;
            if ((byte & 0x80U) == 0) return value;
        }
        ok_ = false;
        return 0;
    }

    std::string text() { return std::string(bytes(integer(2))); }

 private:
    std::string_view bytes_;
    bool ok_ = true;
};

/// The properties of MQTT 5 section 3.3.2.3 that become headers; the others are stepped over.
bool take_properties(Fields& packet, Message& message) {
    Fields properties(packet.bytes(packet.variable_integer()));
    while (packet.ok() && properties.ok() && !properties.empty()) {
        switch (properties.integer(1)) {
            case 0x01:
                properties.integer(1);
                break;  // payload format indicator
            case 0x02:
                properties.integer(4);
                break;  // message expiry interval
            case 0x03:
                message.content_type = properties.text();
                break;
            case 0x08:
                message.response_topic = properties.text();
                break;
            case 0x09:
                message.correlation_data = properties.text();
                break;
            case 0x0b:
                properties.variable_integer();
                break;  // subscription identifier
            case 0x23:
                properties.integer(2);
                break;  // topic alias
            case 0x26: {
                auto key = properties.text();
                message.user_properties.emplace_back(std::move(key), properties.text());
                break;
            }
            default:
                return false;
        }
    }
    return packet.ok() && properties.ok();
}

}  // namespace

std::optional<InboundPublish> decode_publish(std::string_view bytes, ProtocolVersion version) {
    Fields packet(bytes);
    const auto first = packet.integer(1);
    const auto remaining = packet.variable_integer();
    if (!packet.ok() || (first >> 4U) != kPublishType || remaining != packet.rest().size()) return std::nullopt;
    InboundPublish publish;
    auto& message = publish.message;
    message.qos = static_cast<std::uint8_t>((first >> 1U) & 0x03U);
    message.retain = (first & 0x01U) != 0;
    message.topic = packet.text();
    if (message.qos > 0) publish.packet_id = static_cast<std::uint16_t>(packet.integer(2));
    if (message.qos > 2 || (message.qos > 0 && publish.packet_id == 0)) return std::nullopt;
    if (version == ProtocolVersion::v5 && !take_properties(packet, message)) return std::nullopt;
    if (!packet.ok()) return std::nullopt;
    message.payload = std::string(packet.rest());
    return publish;
}

}  // namespace sluice::bridge::mqtt
