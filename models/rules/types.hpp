// types.hpp: the types of the language.
//
// Why numbers carry a power of time: slope(x, 1h) > 0.5 compares a change per second with nothing in particular, and is
// the error that everybody makes once. So 5m is seconds, slope() is per second, and only like is compared with like.
#pragma once

#include <cstdint>
#include <string>

namespace sluice::models::rules {

enum class Type : std::uint8_t { number, boolean, text, numbers };

struct ValueType {
    Type type = Type::number;
    int seconds = 0;  ///< of a number, the power of seconds in its unit: 0 plain, 1 a time, -1 a change per time
    bool operator==(const ValueType&) const = default;
};

inline constexpr int kPowerMax = 8;

/// "a number", "a time", "a change per time", "a text", …
[[nodiscard]] std::string describe(ValueType type);

}  // namespace sluice::models::rules
