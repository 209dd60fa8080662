#include "models/rules/alert_state.hpp"

namespace sluice::models::rules {

AlertState::Step AlertState::step(double condition, Time now, std::int64_t offset, const Hold& hold) {
    const bool holds = condition == 1;
    const bool fails = condition == 0;
    if (phase == Phase::idle) {
        if (!holds) return Step::none;
        phase = Phase::pending;
        since_ms = to_ms(now);
        first_offset = offset;
    }
    if (phase == Phase::pending) {
        if (fails) {
            phase = Phase::idle;
        } else if (now >= due(hold)) {
            phase = Phase::firing;
            cleared_ms = kHolds;
            return Step::fired;
        }
        return Step::none;
    }
    if (holds) cleared_ms = kHolds;
    if (fails && cleared_ms == kHolds) cleared_ms = to_ms(now);
    if (cleared_ms == kHolds || now < due(hold)) return Step::none;
    phase = Phase::idle;
    return Step::resolved;
}

Time AlertState::due(const Hold& hold) const {
    if (phase == Phase::pending) return later(Time(Duration(since_ms)), hold.for_);
    if (phase == Phase::firing && cleared_ms != kHolds) return later(Time(Duration(cleared_ms)), hold.keep_firing_for);
    return kNever;
}

}  // namespace sluice::models::rules
