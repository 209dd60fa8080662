// numbers.hpp: the arithmetic that windows, detectors and rules have in common.
#pragma once

#include <limits>

namespace sluice::models {

inline constexpr double kNoValue = std::numeric_limits<double>::quiet_NaN();  ///< of a function that can't tell yet
inline constexpr double kInfinite = std::numeric_limits<double>::infinity();
inline constexpr double kRounding = 1e-9;  ///< of a value: less is the arithmetic, not the machine

[[nodiscard]] constexpr double square(double x) {
    return x * x;
}

}  // namespace sluice::models
