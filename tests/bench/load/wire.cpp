#include "tests/bench/load/wire.hpp"

#include <cstddef>

namespace sluice::load {
namespace {

void append_u16(std::string& out, std::size_t value) {
    out += static_cast<char>(value >> 8U & 0xFFU);
    out += static_cast<char>(value & 0xFFU);
}

void append_text(std::string& out, std::string_view text) {
    append_u16(out, text.size());
    out += text;
}

void append_length(std::string& out, std::size_t length) {
    for (; length >= 0x80; length >>= 7U) out += static_cast<char>((length & 0x7FU) | 0x80U);
    out += static_cast<char>(length);
}

}  // namespace

std::uint16_t Packet::packet_id() const {
    if (body.size() != 2) return 0;
    return static_cast<std::uint16_t>(static_cast<std::uint8_t>(body[0]) << 8U | static_cast<std::uint8_t>(body[1]));
}

void append_connect(std::string& out, std::string_view client_id, std::uint16_t keep_alive_seconds) {
    constexpr std::size_t kFixedPart = 10;
    out += '\x10';
    append_length(out, kFixedPart + 2 + client_id.size());
    append_text(out, "MQTT");
    out += '\x04';  // protocol level of 3.1.1
    out += '\x02';  // clean session
    append_u16(out, keep_alive_seconds);
    append_text(out, client_id);
}

void append_publish(std::string& out, std::string_view topic, int qos, std::uint16_t packet_id,
                    std::string_view payload) {
    out += static_cast<char>(0x30 | qos << 1);
    append_length(out, 2 + topic.size() + 2 + payload.size());
    append_text(out, topic);
    append_u16(out, packet_id);
    out += payload;
}

void append_pubrel(std::string& out, std::uint16_t packet_id) {
    out += "\x62\x02";
    append_u16(out, packet_id);
}

void append_pingreq(std::string& out) {
    out.append("\xC0\0", 2);
}

void append_disconnect(std::string& out) {
    out.append("\xE0\0", 2);
}

std::optional<Packet> take_packet(std::string_view& bytes) {
    constexpr std::size_t kHeader = 2;  // all that a server sends here is shorter than 128 bytes
    if (bytes.size() < kHeader) return std::nullopt;
    const auto length = static_cast<std::uint8_t>(bytes[1]);
    if (length >= 0x80) return Packet{};
    if (bytes.size() < kHeader + length) return std::nullopt;
    const auto type = static_cast<PacketType>(static_cast<std::uint8_t>(bytes[0]) >> 4U);
    const Packet packet{type, bytes.substr(kHeader, length)};
    bytes.remove_prefix(kHeader + length);
    return packet;
}

}  // namespace sluice::load
