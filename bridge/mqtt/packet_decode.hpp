// packet_decode.hpp: from bytes to the packets that a client may send, as strictly as the standards ask.
//
// Every rule that a packet can break by itself is checked here: reserved bits, lengths, UTF-8, identifiers, properties.
// What depends on what came before (a second CONNECT, an unknown topic alias) is the session's.
// Pure functions: thread-safe, and nothing is copied.
#pragma once

#include "bridge/mqtt/packet.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>

namespace sluice::bridge::mqtt {

/// A packet in a stream of bytes, by its fixed header.
struct Frame {
    std::uint8_t type_and_flags = 0;
    std::string_view body;  ///< what comes after the remaining length
    std::size_t size = 0;   ///< of all of it

    [[nodiscard]] PacketType type() const { return static_cast<PacketType>(type_and_flags >> 4U); }
    [[nodiscard]] unsigned flags() const { return type_and_flags & 0x0fU; }
};

struct NeedMore {};

/// Looks for a packet at the front of `bytes`.
/// @param size_max  of a packet as a whole; a longer one is a fault as soon as its length is known
[[nodiscard]] std::variant<Frame, NeedMore, Fault> next_frame(std::string_view bytes, std::size_t size_max);

using Decoded = std::variant<ClientPacket, Fault>;

/// @param version  of the connection, from its CONNECT; a CONNECT brings its own
[[nodiscard]] Decoded decode_packet(const Frame& frame, ProtocolVersion version);

/// The version that a CONNECT speaks of, however wrong the rest of it is; nullopt where it is none that is known.
[[nodiscard]] std::optional<ProtocolVersion> version_of_connect(const Frame& frame);

/// The message of a PUBLISH alone, for one that is at hand as a whole.
[[nodiscard]] std::variant<Publish, Fault> decode_publish(const Frame& frame, ProtocolVersion version,
                                                          PropertyPlace direction);

}  // namespace sluice::bridge::mqtt
