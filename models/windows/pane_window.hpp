// pane_window.hpp: a window over time in a fixed number of bytes.
//
// Why panes: a window that keeps each record has no bound on its memory. This one cuts time into panes of a fixed
// width, a little under the 31st part of the window, and keeps one aggregate a pane in a ring; panes are merged for the
// value. What it costs: a pane leaves as a whole, when its newest value is older than the window. So the window holds
// at least the last `length`, and at most a pane more (3.3 %; 6.7 % for quantiles, which have 15 panes). A device that
// reports at most once a pane gets exact windows. Late records find their pane by their time, as long as it is in the
// ring; the order of arrival makes no difference to sums, extremes, spread and trend.
#pragma once

#include "models/stateful_function.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

namespace sluice::models {

/// What gathers the closed panes: the total itself, or its `Closing`, whose finish() gives the total.
template <class Total>
struct ClosingOf {
    using Type = Total;
};
template <class Total>
requires requires {
    typename Total::Closing;
}
struct ClosingOf<Total> {
    using Type = typename Total::Closing;
};

/// Pane: `std::uint32_t count, newest_ms` (of its newest value, from the pane's start), `add(value, ms_from_start)`,
/// and `Total`, which starts empty and does `take(pane, pane_start_ms)`, oldest pane first.
/// Result: a callable (const Total&) -> double, NaN where there is no value.
template <class Pane, std::size_t kSlots, class Result>
class PaneWindow final : public StatefulFunction {
    static_assert((kSlots & (kSlots - 1)) == 0, "a pane's slot is its number's low bits");
    using Total = typename Pane::Total;

    struct State {
        std::int64_t newest;           // number of the newest pane: its start is newest * width
        std::int64_t closed_until_ms;  // `closed` holds before this; then its oldest pane leaves
        Total closed;                  // all panes but the newest, so that most records merge two aggregates only
        Pane panes[kSlots];
    };
    static_assert(std::is_trivially_copyable_v<State> && alignof(State) <= 8 && sizeof(State) % 8 == 0);

    static constexpr std::int64_t kNone = std::numeric_limits<std::int64_t>::min() / 2;  // no pane yet
    static constexpr std::int64_t kStale = std::numeric_limits<std::int64_t>::min();

 public:
    explicit PaneWindow(Duration length, Result result = {})
        : length_ms_(length.count()),
          width_ms_((length.count() + static_cast<std::int64_t>(kSlots) - 2) / (static_cast<std::int64_t>(kSlots) - 1)),
          result_(result) {}

    [[nodiscard]] std::size_t state_bytes() const override { return sizeof(State); }

    void start(std::byte* state, Time /*now*/) const override {
        State& s = of(state);
        s = State{};
        s.newest = kNone;
        s.closed_until_ms = kStale;
    }

    void add(std::byte* state, const Input& input) const override {
        State& s = of(state);
        const auto time_ms = to_ms(input.time);
        const auto number = pane_number(time_ms);
        if (number > s.newest) {
            open(s, number);
        } else if (number <= s.newest - static_cast<std::int64_t>(kSlots)) {
            return;  // older than the window
        } else if (number < s.newest) {
            s.closed_until_ms = kStale;
        }
        pane(s, number).add(input.values[0], static_cast<std::uint32_t>(time_ms - number * width_ms_));
    }

    double value(std::byte* state, Time now) const override {
        State& s = of(state);
        if (s.newest == kNone) return result_(Total{});
        const auto from_ms = to_ms(now) - length_ms_;  // what is at this time or before it has left
        if (to_ms(now) >= s.closed_until_ms) close(s, from_ms);
        const auto& newest = pane(s, s.newest);
        if (newest_ms(newest, s.newest) <= from_ms) return result_(s.closed);
        Total total = s.closed;
        total.take(newest, s.newest * width_ms_);
        return result_(total);
    }

 private:
    static State& of(std::byte* state) { return *reinterpret_cast<State*>(state); }
    static Pane& pane(State& s, std::int64_t number) {
        return s.panes[static_cast<std::uint64_t>(number) & (kSlots - 1)];
    }

    [[nodiscard]] std::int64_t pane_number(std::int64_t time_ms) const {
        return time_ms >= 0 ? time_ms / width_ms_ : (time_ms - width_ms_ + 1) / width_ms_;
    }
    [[nodiscard]] std::int64_t newest_ms(const Pane& p, std::int64_t number) const {
        return number * width_ms_ + p.newest_ms;
    }

    static void open(State& s, std::int64_t number) {
        const auto all = static_cast<std::int64_t>(kSlots);
        for (auto n = std::max(s.newest + 1, number - all + 1); n <= number; ++n) pane(s, n) = Pane{};
        s.newest = number;
        s.closed_until_ms = kStale;
    }

    void close(State& s, std::int64_t from_ms) const {
        typename ClosingOf<Total>::Type closing{};
        s.closed_until_ms = std::numeric_limits<std::int64_t>::max();
        for (auto n = s.newest - static_cast<std::int64_t>(kSlots) + 1; n < s.newest; ++n) {
            const auto& p = pane(s, n);
            if (p.count == 0 || newest_ms(p, n) <= from_ms) continue;
            closing.take(p, n * width_ms_);
            s.closed_until_ms = std::min(s.closed_until_ms, newest_ms(p, n) + length_ms_);
        }
        if constexpr (std::is_same_v<decltype(closing), Total>) {
            s.closed = closing;
        } else {
            s.closed = closing.finish();
        }
    }

    std::int64_t length_ms_;
    std::int64_t width_ms_;
    Result result_;
};

}  // namespace sluice::models
