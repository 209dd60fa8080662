// publish_packet.hpp: from a PUBLISH packet to the message that routes see.
#pragma once

#include "bridge/message.hpp"
#include "bridge/mqtt/packet.hpp"

#include <cstdint>
#include <optional>
#include <string_view>

namespace sluice::bridge::mqtt {

struct InboundPublish {
    Message message;
    std::uint16_t packet_id = 0;  ///< 0 for QoS 0, which has none
};

/// A message that owns its bytes.
[[nodiscard]] Message to_message(const Publish& publish);

/// The properties that go on to subscribers, pointing into the message; its expiry interval is not among them, as it
/// shrinks with time.
void set_properties(const Message& message, MessageProperties& properties);

/// @param packet  one whole packet that a broker has sent, fixed header included
/// @return nullopt for a malformed one. Topic aliases are not resolved: a client that allows none is sent none.
[[nodiscard]] std::optional<InboundPublish> message_of_packet(std::string_view packet, ProtocolVersion version);

}  // namespace sluice::bridge::mqtt
