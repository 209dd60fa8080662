#include "models/windows/quantile_pane.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace sluice::models {

namespace {

using Point = QuantilePane::Point;

/// Joins neighbours among the rising `points` until `most` are left. Each round takes two that are equal, or those
/// whose joint weight, against the root of r (1 - r) at their rank r, is least.
template <std::size_t kSize>
void join(std::array<Point, kSize>& points, std::size_t& used, std::size_t most) {
    float all = 0;
    for (std::size_t i = 0; i < used; ++i) all += points[i].weight;
    while (used > most) {
        std::size_t best = 0;
        float best_cost = std::numeric_limits<float>::infinity();
        float before = 0;
        for (std::size_t i = 0; i + 1 < used; ++i) {
            const float joint = points[i].weight + points[i + 1].weight;
            const float rank = (before + joint / 2) / all;
            const bool equal = points[i].value == points[i + 1].value;
            const float cost = equal ? 0 : joint * joint / (rank * (1 - rank) + 1e-6F);
            if (cost < best_cost) {
                best_cost = cost;
                best = i;
            }
            before += points[i].weight;
        }
        auto& a = points[best];
        const auto& b = points[best + 1];
        const float joint = a.weight + b.weight;
        a = {a.value + (b.value - a.value) * (b.weight / joint), joint};
        std::copy(points.begin() + static_cast<std::ptrdiff_t>(best) + 2,
                  points.begin() + static_cast<std::ptrdiff_t>(used),
                  points.begin() + static_cast<std::ptrdiff_t>(best) + 1);
        --used;
    }
}

}  // namespace

void QuantilePane::add(double value, std::uint32_t ms) {
    std::array<Point, kPoints + 1> points;
    std::size_t used = std::min<std::size_t>(count, kPoints);
    const auto rounded = static_cast<float>(value);
    std::size_t place = 0;
    for (std::size_t i = 0; i < used; ++i) {
        if (values[i] <= rounded) place = i + 1;
        points[i < place ? i : i + 1] = {values[i], static_cast<float>(weights[i])};
    }
    points[place] = {rounded, 1};
    ++used;
    join(points, used, kPoints);
    for (std::size_t i = 0; i < used; ++i) {
        values[i] = points[i].value;
        weights[i] = static_cast<std::uint32_t>(points[i].weight);
    }
    ++count;
    newest_ms = std::max(newest_ms, ms);
}

void QuantilePane::Total::take(const QuantilePane& pane, std::int64_t /*start_ms*/) {
    if (used > kKept) finish();
    std::array<Point, kTotalPoints> points;
    const std::size_t ours = std::min<std::size_t>(used, kKept);
    const std::size_t theirs = std::min<std::size_t>(pane.count, kPoints);
    std::size_t i = 0;
    std::size_t j = 0;
    std::size_t all = 0;
    while (i < ours || j < theirs) {
        if (j == theirs || (i < ours && values[i] <= pane.values[j])) {
            points[all++] = {values[i], weights[i]};
            ++i;
        } else {
            points[all++] = {pane.values[j], static_cast<float>(pane.weights[j])};
            ++j;
        }
    }
    set(points, all);
}

void QuantilePane::Total::finish() {
    std::array<Point, kTotalPoints> points;
    std::size_t all = std::min<std::size_t>(used, kTotalPoints);
    for (std::size_t i = 0; i < all; ++i) points[i] = {values[i], weights[i]};
    join(points, all, kKept);
    set(points, all);
}

void QuantilePane::Total::set(const std::array<Point, kTotalPoints>& points, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
        values[i] = points[i].value;
        weights[i] = points[i].weight;
    }
    used = static_cast<std::uint32_t>(count);
}

double QuantilePane::Total::quantile(double q) const {
    const std::size_t points = std::min<std::size_t>(used, kTotalPoints);
    if (points == 0) return std::nan("");
    double all = 0;
    for (std::size_t i = 0; i < points; ++i) all += static_cast<double>(weights[i]);
    const double rank = q * (all - 1);  // of 0 ... all - 1
    double before = 0;
    double low_rank = 0;
    double low = static_cast<double>(values[0]);
    for (std::size_t i = 0; i < points; ++i) {
        const auto weight = static_cast<double>(weights[i]);
        const double middle = before + (weight - 1) / 2;
        const auto value = static_cast<double>(values[i]);
        if (middle >= rank) {
            if (middle <= low_rank) return value;
            return low + (value - low) * (rank - low_rank) / (middle - low_rank);
        }
        low_rank = middle;
        low = value;
        before += weight;
    }
    return low;
}

}  // namespace sluice::models
