// families.hpp: every metric there is: the one table that the endpoint and docs/metrics.md are held to.
//
// Rules: Prometheus, "Metric and label naming"; OpenMetrics 1.0. Base units; a counter's samples end in _total, which
// is not written here. Labels take few values: streams and sources as configured, and fixed words.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace sluice::agent::metrics {

enum class Type : std::uint8_t { counter, gauge, histogram };

struct Family {
    std::string_view name;
    Type type;
    std::string_view unit;   ///< what the name ends in, if it has one
    std::string_view label;  ///< empty: none
    std::string_view help;
};

[[nodiscard]] std::span<const Family> families();
[[nodiscard]] std::string_view to_string(Type type);

}  // namespace sluice::agent::metrics
