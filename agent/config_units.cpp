#include "agent/config_units.hpp"

#include <array>
#include <charconv>
#include <limits>
#include <span>
#include <system_error>

namespace sluice::agent {

namespace {

struct Unit {
    std::string_view name;
    std::int64_t factor;
};

constexpr std::array<Unit, 5> kDurationUnits{
    {{"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}}};

// The units of 1024 are first, as these are the ones that are printed.
constexpr std::array<Unit, 9> kSizeUnits{{{"B", 1},
                                          {"KiB", 1LL << 10},
                                          {"MiB", 1LL << 20},
                                          {"GiB", 1LL << 30},
                                          {"TiB", 1LL << 40},
                                          {"KB", 1'000},
                                          {"MB", 1'000'000},
                                          {"GB", 1'000'000'000},
                                          {"TB", 1'000'000'000'000}}};
constexpr std::size_t kPrintedSizeUnits = 5;

std::optional<std::int64_t> parse(std::string_view text, std::span<const Unit> units) {
    std::int64_t number = 0;
    const auto* end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data(), end, number);
    if (parsed.ec != std::errc() || number < 0 || text.starts_with('-')) return std::nullopt;
    const std::string_view name(parsed.ptr, static_cast<std::size_t>(end - parsed.ptr));
    for (const auto& unit : units) {
        if (unit.name != name) continue;
        if (number > std::numeric_limits<std::int64_t>::max() / unit.factor) return std::nullopt;
        return number * unit.factor;
    }
    return std::nullopt;
}

std::string format(std::int64_t number, std::span<const Unit> units, const Unit& unit_of_zero) {
    const auto* best = &unit_of_zero;
    for (const auto& unit : units) {
        if (number != 0 && number % unit.factor == 0) best = &unit;
    }
    return std::to_string(number / best->factor).append(best->name);
}

}  // namespace

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
    const auto milliseconds = parse(text, kDurationUnits);
    return milliseconds ? std::optional(std::chrono::milliseconds(*milliseconds)) : std::nullopt;
}

std::string format_duration(std::chrono::milliseconds duration) {
    return format(duration.count(), kDurationUnits, kDurationUnits[1]);
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
    const auto bytes = parse(text, kSizeUnits);
    return bytes ? std::optional(static_cast<std::uint64_t>(*bytes)) : std::nullopt;
}

std::string format_size(std::uint64_t bytes) {
    return format(static_cast<std::int64_t>(bytes), std::span(kSizeUnits).first(kPrintedSizeUnits), kSizeUnits[0]);
}

}  // namespace sluice::agent
