// alert_state.hpp: whether one rule fires for one device: idle, pending (`for` runs), firing.
//
// An unknown condition (a field that this record hasn't, an empty window) changes nothing: what was last known holds,
// and `for` and `keep_firing_for` go on. Part of a device's state block, so trivially copyable and of fixed size.
#pragma once

#include "models/time.hpp"

#include <cstdint>

namespace sluice::models::rules {

struct Hold {
    Duration for_{0};             ///< the condition must hold so long before the alert fires
    Duration keep_firing_for{0};  ///< and be false so long before it is resolved
};

struct AlertState {
    enum class Phase : std::uint32_t { idle, pending, firing };
    enum class Step : std::uint8_t { none, fired, resolved };

    std::int64_t since_ms = 0;         ///< pending, firing: from when the condition held
    std::int64_t first_offset = 0;     ///< pending, firing: the record from which it held
    std::int64_t cleared_ms = kHolds;  ///< firing: since when the condition is false
    Phase phase = Phase::idle;
    std::uint32_t unused = 0;
    static constexpr std::int64_t kHolds = INT64_MIN;

    /// @param condition  1, 0, or NaN for unknown
    /// @param now        never falls from call to call
    Step step(double condition, Time now, std::int64_t offset, const Hold& hold);

    /// When step() changes something though the condition doesn't; kNever where it won't.
    [[nodiscard]] Time due(const Hold& hold) const;
};
static_assert(sizeof(AlertState) == 32);

}  // namespace sluice::models::rules
