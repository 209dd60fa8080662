// panes.hpp: the aggregates that panes of a time window hold, and how they merge. Each merge is exact but for rounding.
//
// Sizes are part of the promise about memory (docs/rules.md), so they are asserted here.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

namespace sluice::models {

/// For avg, sum and count.
struct SumPane {
    double sum;
    std::uint32_t count;
    std::uint32_t newest_ms;

    void add(double value, std::uint32_t ms) {
        sum += value;
        ++count;
        newest_ms = std::max(newest_ms, ms);
    }

    struct Total {
        double sum;
        double count;
        void take(const SumPane& pane, std::int64_t /*start_ms*/) {
            sum += pane.sum;
            count += pane.count;
        }
    };
};
static_assert(sizeof(SumPane) == 16);

/// For min (sign 1) and max (sign -1: the least of the negated values).
template <int kSign>
struct ExtremePane {
    double least;
    std::uint32_t count;
    std::uint32_t newest_ms;

    void add(double value, std::uint32_t ms) {
        least = count == 0 ? kSign * value : std::min(least, kSign * value);
        ++count;
        newest_ms = std::max(newest_ms, ms);
    }

    struct Total {
        double least = std::numeric_limits<double>::infinity();
        void take(const ExtremePane& pane, std::int64_t /*start_ms*/) { least = std::min(least, pane.least); }
        [[nodiscard]] double value() const { return std::isinf(least) ? std::nan("") : kSign * least; }
    };
};
static_assert(sizeof(ExtremePane<1>) == 16);

/// For stddev: count, mean and squared deviations, merged as Chan, Golub and LeVeque (1979) do; a sum of squares would
/// lose all digits for a small spread around a large mean.
struct SpreadPane {
    double mean;
    double squares;  // sum of (value - mean)^2
    std::uint32_t count;
    std::uint32_t newest_ms;

    void add(double value, std::uint32_t ms) {
        ++count;
        const double delta = value - mean;
        mean += delta / count;
        squares += delta * (value - mean);
        newest_ms = std::max(newest_ms, ms);
    }

    struct Total {
        double count;
        double mean;
        double squares;
        void take(const SpreadPane& pane, std::int64_t /*start_ms*/) {
            const double delta = pane.mean - mean;
            const double both = count + pane.count;
            squares += pane.squares + delta * delta * count * pane.count / both;
            mean += delta * pane.count / both;
            count = both;
        }
        /// Of all values, not an estimate from a sample: as Prometheus' stddev_over_time.
        [[nodiscard]] double stddev() const { return count == 0 ? std::nan("") : std::sqrt(squares / count); }
    };
};
static_assert(sizeof(SpreadPane) == 24);

/// For slope: the least-squares line through the values. Time is in seconds from the pane's start, so that 32 bits keep
/// seven digits of it.
struct TrendPane {
    double mean_value;
    float mean_time;
    float time_squares;  // sum of (time - mean)^2
    float products;      // sum of (time - mean) (value - mean)
    std::uint32_t count;
    std::uint32_t newest_ms;
    std::uint32_t unused;

    void add(double value, std::uint32_t ms) {
        ++count;
        const double time = ms / 1000.0;
        const double time_delta = time - static_cast<double>(mean_time);
        const double value_delta = value - mean_value;
        mean_value += value_delta / count;
        const double mean = static_cast<double>(mean_time) + time_delta / count;
        time_squares += static_cast<float>(time_delta * (time - mean));
        products += static_cast<float>(time_delta * (value - mean_value));
        mean_time = static_cast<float>(mean);
        newest_ms = std::max(newest_ms, ms);
    }

    struct Total {
        double count;
        std::int64_t origin_ms;  // of mean_time: the first pane's start
        double mean_time;
        double mean_value;
        double time_squares;
        double products;
        void take(const TrendPane& pane, std::int64_t start_ms) {
            if (count == 0) origin_ms = start_ms;
            const double time = static_cast<double>(start_ms - origin_ms) / 1000 + static_cast<double>(pane.mean_time);
            const double time_delta = time - mean_time;
            const double value_delta = pane.mean_value - mean_value;
            const double both = count + pane.count;
            const double share = count * pane.count / both;
            time_squares += static_cast<double>(pane.time_squares) + time_delta * time_delta * share;
            products += static_cast<double>(pane.products) + time_delta * value_delta * share;
            mean_time += time_delta * pane.count / both;
            mean_value += value_delta * pane.count / both;
            count = both;
        }
        /// Per second; NaN where all values are of one moment.
        [[nodiscard]] double slope() const { return time_squares > 0 ? products / time_squares : std::nan(""); }
    };
};
static_assert(sizeof(TrendPane) == 32);

/// For delta, rate and changes, which compare neighbours: the ends of the pane, and what was gathered between them.
/// A value that is older than the newest of its own pane can't be put between its neighbours any more: it may become
/// the first of the pane, else it is passed over. Step: (from, to) -> what this step adds.
template <class Step>
struct EdgePane {
    double first;
    double last;
    double gathered;
    std::uint32_t first_ms;
    std::uint32_t newest_ms;
    std::uint32_t count;
    std::uint32_t unused;

    void add(double value, std::uint32_t ms) {
        if (count == 0) {
            first = last = value;
            first_ms = newest_ms = ms;
        } else if (ms >= newest_ms) {
            gathered += Step{}(last, value);
            last = value;
            newest_ms = ms;
        } else if (ms < first_ms) {
            gathered += Step{}(value, first);
            first = value;
            first_ms = ms;
        }
        ++count;
    }

    struct Total {
        double count;
        double first;
        double last;
        double gathered;
        std::int64_t first_ms;
        std::int64_t last_ms;
        void take(const EdgePane& pane, std::int64_t start_ms) {
            if (count == 0) {
                first = pane.first;
                first_ms = start_ms + pane.first_ms;
            } else {
                gathered += Step{}(last, pane.first);
            }
            gathered += pane.gathered;
            last = pane.last;
            last_ms = start_ms + pane.newest_ms;
            count += pane.count;
        }
    };
};

/// What a counter grew by; where it fell it was started anew from 0, as in Prometheus.
struct CounterStep {
    double operator()(double from, double to) const { return to >= from ? to - from : to; }
};
struct ChangeStep {
    double operator()(double from, double to) const { return from == to ? 0 : 1; }
};
static_assert(sizeof(EdgePane<CounterStep>) == 40);

}  // namespace sluice::models
