// quantile_pane.hpp: the distribution of a pane's values in 16 weighted points, and of a window's in 48.
//
// Why points: a quantile can't be merged from panes exactly without keeping all values. A pane keeps its first 16 as
// they are; then each new value is put in its place, and two neighbours are joined: equal ones, or those whose joint
// weight is least for where they are in the distribution (finer at the ends than in the middle, as in Dunning's
// t-digest, 2019, but milder: with 16 points the t-digest's own scale leaves too little for the middle). Error: none
// while no pane has more than 16 different values and the window no more than 48 beside those of its newest pane; else
// the rank is off by 2.5 % of the values at most, by 2 % at the 1st and 99th percentile
// (tests/unit/models/quantile_test.cpp: normal, heavy-tailed, rising, periodic and two-level series). Values are
// rounded to 32-bit floats.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace sluice::models {

struct QuantilePane {
    static constexpr std::size_t kPoints = 16;
    struct Point {
        float value;
        float weight;
    };
    std::array<float, kPoints> values;  // rising; all min(count, kPoints) are used
    std::array<std::uint32_t, kPoints> weights;
    std::uint32_t count;
    std::uint32_t newest_ms;

    void add(double value, std::uint32_t ms);

    struct Total {
        static constexpr std::size_t kKept = 48;
        static constexpr std::size_t kTotalPoints = kKept + kPoints;  // one more pane fits without joining
        struct Closing;
        std::array<Point, kTotalPoints> points;
        std::uint32_t used;
        std::uint32_t unused;

        /// Of at most kKept points and a pane's.
        void take(const QuantilePane& pane, std::int64_t start_ms);
        /// Between the points as between sorted values: exact (numpy's "linear") while all weights are 1.
        [[nodiscard]] double quantile(double q) const;
    };
};

/// The points of all closed panes, joined at once.
struct QuantilePane::Total::Closing {
    static constexpr std::size_t kPanesMax = 16;
    std::array<Point, kPanesMax * kPoints> points;
    std::size_t used;

    void take(const QuantilePane& pane, std::int64_t start_ms);
    [[nodiscard]] Total finish();
};
static_assert(sizeof(QuantilePane) == 136);

}  // namespace sluice::models
