// paho_words.hpp: what a broker says in numbers, in words. Included by the sources that wrap Paho only.
#pragma once

#include <mqtt/exception.h>
#include <mqtt/types.h>

#include <optional>
#include <string>

namespace sluice::bridge::mqtt {

/// The refusal of CONNACK, or nullopt where the attempt failed in another way.
[[nodiscard]] std::optional<std::string> refusal(const ::mqtt::exception& error);

/// Why the broker ended the connection; only MQTT 5 says that.
[[nodiscard]] std::string end_of_connection(::mqtt::ReasonCode reason, const std::string& client_id);

}  // namespace sluice::bridge::mqtt
