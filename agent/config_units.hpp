// config_units.hpp: durations and sizes as people write them: "5ms", "10s", "7d"; "512B", "16MiB", "10MB".
//
// A whole number and a unit, nothing else: what is printed by one function is read by the other.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::agent {

/// Units ms, s, m, h, d. nullopt where it is not a duration, or one of more than 2^63 ms.
[[nodiscard]] std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);
/// In the largest unit that leaves a whole number: "90m", "7d", "0s".
[[nodiscard]] std::string format_duration(std::chrono::milliseconds duration);

/// Units B, KiB, MiB, GiB, TiB (powers of 1024) and KB, MB, GB, TB (powers of 1000). nullopt where it is not a size,
/// or one of more than 2^63 bytes.
[[nodiscard]] std::optional<std::uint64_t> parse_size(std::string_view text);
/// In the largest unit of 1024 that leaves a whole number: "16MiB", "1500B".
[[nodiscard]] std::string format_size(std::uint64_t bytes);

}  // namespace sluice::agent
