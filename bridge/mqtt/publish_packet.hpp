// publish_packet.hpp: decodes a PUBLISH packet from its bytes. Sources: MQTT 3.1.1 and MQTT 5, section 3.3.
#pragma once

#include "bridge/message.hpp"
#include "bridge/mqtt/source_options.hpp"

#include <cstdint>
#include <optional>
#include <string_view>

namespace sluice::bridge::mqtt {

struct InboundPublish {
    Message message;
    std::uint16_t packet_id = 0;  ///< 0 for QoS 0, which has none
};

/// @param packet  one whole packet, fixed header included
/// @return nullopt for a malformed one. Topic aliases are not resolved: a client that allows none is sent none.
[[nodiscard]] std::optional<InboundPublish> decode_publish(std::string_view packet, ProtocolVersion version);

}  // namespace sluice::bridge::mqtt
