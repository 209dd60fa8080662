// time.hpp: time as the rules see it: milliseconds since 1970, always given as an argument and never read from a clock.
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>

namespace sluice::models {

using Duration = std::chrono::milliseconds;
using Time = std::chrono::sys_time<Duration>;

inline constexpr Time kNever = Time::max();    ///< later than everything
inline constexpr Time kLongAgo = Time::min();  ///< before everything

[[nodiscard]] constexpr std::int64_t to_ms(Time time) {
    return time.time_since_epoch().count();
}

/// `time` + `wait`, where kNever stays kNever.
[[nodiscard]] constexpr Time later(Time time, Duration wait) {
    if (time == kNever || (wait > Duration::zero() && time > kNever - wait)) return kNever;
    return time + wait;
}

}  // namespace sluice::models
