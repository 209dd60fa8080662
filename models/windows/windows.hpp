// windows.hpp: the windows of the rule language, by time and by count.
#pragma once

#include "models/stateful_function.hpp"

#include <cstdint>
#include <memory>

namespace sluice::models {

enum class Aggregate : std::uint8_t { avg, min, max, sum, count, stddev, quantile, rate, delta, slope, changes };

using Function = std::unique_ptr<const StatefulFunction>;

/// A window over the last `length` of event time, in panes: pane_window.hpp says what that costs in exactness.
/// @param length    kTimeWindowMin to kTimeWindowMax
/// @param quantile  0 to 1; only of Aggregate::quantile
[[nodiscard]] Function time_window(Aggregate aggregate, Duration length, double quantile);
inline constexpr Duration kTimeWindowMin{100};
inline constexpr Duration kTimeWindowMax = std::chrono::days(366);  // a pane's milliseconds stay within 32 bits

/// A window over the last `values` values, exact, in the order of arrival. It keeps each (8 bytes, and 8 for its time
/// where that matters) and looks at all of them for each record: hence the cap.
/// @param values  1 to kCountWindowMax
[[nodiscard]] Function count_window(Aggregate aggregate, std::size_t values, double quantile);
inline constexpr std::size_t kCountWindowMax = 256;

}  // namespace sluice::models
