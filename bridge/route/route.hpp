// route.hpp: one route: which MQTT topics it takes, and what becomes of their messages.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace sluice::bridge {

enum class TimestampFormat : std::uint8_t {
    automatic,  ///< a string is RFC 3339; a number is s, ms, us or ns by its magnitude
    rfc3339,
    seconds,
    milliseconds,
    microseconds,
    nanoseconds,
};

/// How many milliseconds after its timestamp a record arrived; where it is missing, at its timestamp.
inline constexpr const char* kArrivalHeader = "sluice.internal.arrived";

/// A route as configured. Checked by TopicMap::create().
struct RouteOptions {
    std::string topic;                     ///< topic filter; a level may be a capture: factory/{site}/#
    std::string stream;                    ///< a literal; the stream is opened at start
    std::optional<std::string> key;        ///< template with {captures}; nullopt: null key
    std::optional<std::string> timestamp;  ///< JSON pointer (RFC 6901); nullopt: time of arrival
    TimestampFormat timestamp_format = TimestampFormat::automatic;
    /// A time further ahead of the arrival is a fault of the device's clock; nullopt: is taken. Kafka 4 refuses what is
    /// an hour ahead of its own clock, from which ours may differ.
    std::optional<std::chrono::milliseconds> timestamp_ahead_max = std::chrono::minutes(50);
    /// Where `timestamp` says another time, the time of arrival is kept beside it (kArrivalHeader): rules need it.
    bool keep_arrival = false;
    std::map<std::string, std::string> headers;  ///< more headers; values are templates with {captures}
};

}  // namespace sluice::bridge
