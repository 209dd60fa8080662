// message.hpp: a message as it arrived from a device, whatever the way.
#pragma once

#include "storage/types.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace sluice::bridge {

struct Message {
    std::string topic;
    std::string payload;  ///< bytes; passes unchanged
    std::uint8_t qos = 0;
    bool retain = false;
    // MQTT 5 only:
    std::vector<std::pair<std::string, std::string>> user_properties;
    std::optional<std::string> content_type;
    std::optional<std::string> response_topic;
    std::optional<std::string> correlation_data;
    std::optional<std::uint32_t> payload_format_indicator;  ///< 1: UTF-8, says the device
    std::optional<std::uint32_t> expiry_interval;           ///< seconds after `arrived`
    storage::Timestamp arrived{};
};

}  // namespace sluice::bridge
