#include "models/windows/quantile_pane.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

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

/// Joins runs of the sorted `points` in one pass, each up to the weight that join() would leave at its place; a few
/// more than `most` may be left. Returns how many are.
std::size_t join_at_once(std::span<Point> points, std::size_t most) {
    float all = 0;
    for (const auto& point : points) all += point.weight;
    const float share = 3.14F / static_cast<float>(most) * all;
    std::size_t last = 0;
    float before = 0;
    for (std::size_t i = 1; i < points.size(); ++i) {
        auto& a = points[last];
        const auto& b = points[i];
        const float joint = a.weight + b.weight;
        const float rank = (before + joint / 2) / all;
        if (a.value == b.value || joint * joint <= share * share * rank * (1 - rank)) {
            a = {a.value + (b.value - a.value) * (b.weight / joint), joint};
        } else {
            before += a.weight;
            points[++last] = b;
        }
    }
    return last + 1;
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
    std::size_t ours = std::min<std::size_t>(used, kKept);
    std::size_t theirs = std::min<std::size_t>(pane.count, kPoints);
    used = static_cast<std::uint32_t>(ours + theirs);
    for (std::size_t to = used; theirs > 0;) {  // from the end, so that nothing is written over before it was moved
        const bool from_pane = ours == 0 || points[ours - 1].value <= pane.values[theirs - 1];
        if (from_pane) {
            --theirs;
            points[--to] = {pane.values[theirs], static_cast<float>(pane.weights[theirs])};
        } else {
            points[--to] = points[--ours];
        }
    }
}

void QuantilePane::Total::Closing::take(const QuantilePane& pane, std::int64_t /*start_ms*/) {
    const std::size_t theirs = std::min<std::size_t>(pane.count, kPoints);
    for (std::size_t i = 0; i < theirs && used < points.size(); ++i) {
        points[used++] = {pane.values[i], static_cast<float>(pane.weights[i])};
    }
}

QuantilePane::Total QuantilePane::Total::Closing::finish() {
    const auto end = points.begin() + static_cast<std::ptrdiff_t>(used);
    std::sort(points.begin(), end, [](const Point& a, const Point& b) { return a.value < b.value; });
    if (used > kKept) used = join_at_once(std::span(points).first(used), kKept);
    join(points, used, kKept);
    Total total{};
    std::copy_n(points.begin(), used, total.points.begin());
    total.used = static_cast<std::uint32_t>(used);
    return total;
}

double QuantilePane::Total::quantile(double q) const {
    const std::size_t size = std::min<std::size_t>(used, kTotalPoints);
    if (size == 0) return std::nan("");
    double all = 0;
    for (std::size_t i = 0; i < size; ++i) all += static_cast<double>(points[i].weight);
    const double rank = q * (all - 1);  // of 0 ... all - 1
    double before = 0;
    double low_rank = 0;
    double low = static_cast<double>(points[0].value);
    for (std::size_t i = 0; i < size; ++i) {
        const auto weight = static_cast<double>(points[i].weight);
        const double middle = before + (weight - 1) / 2;
        const auto value = static_cast<double>(points[i].value);
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
