// wire.hpp: the little of MQTT 3.1.1 that the load generator speaks.
//
// Written apart from bridge/mqtt, so that the agent isn't measured and tested with its own idea of the protocol.
// Pure functions: thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::load {

enum class PacketType : std::uint8_t {
    unknown = 0,
    connack = 2,
    puback = 4,
    pubrec = 5,
    pubcomp = 7,
    pingresp = 13,
};

struct Packet {
    PacketType type = PacketType::unknown;
    std::string_view body;

    /// Of an acknowledgement; 0, which no message has, where there is none.
    [[nodiscard]] std::uint16_t packet_id() const;
};

void append_connect(std::string& out, std::string_view client_id, std::uint16_t keep_alive_seconds);
void append_publish(std::string& out, std::string_view topic, int qos, std::uint16_t packet_id,
                    std::string_view payload);
void append_pubrel(std::string& out, std::uint16_t packet_id);
void append_pingreq(std::string& out);
void append_disconnect(std::string& out);

/// Takes the next packet off the front of `bytes`; nothing while it is not whole. What a server can't send to a client
/// that never subscribes is `unknown`.
[[nodiscard]] std::optional<Packet> take_packet(std::string_view& bytes);

}  // namespace sluice::load
