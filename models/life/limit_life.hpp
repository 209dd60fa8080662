// limit_life.hpp: when a value will reach its limit, from its own trend; no training.
//
// A straight line is fitted to the recent past by least squares, older records counting exponentially less. The
// interval is Fieller's for the ratio of two estimates, and takes into account that neighbouring records err alike. So
// a trend that may as well be none has no upper end. Source: Fieller, J. Royal Statistical Society B, 1954; Brown,
// "Smoothing, forecasting and prediction", 1963.
#pragma once

#include <cstdint>

namespace sluice::models {

/// In seconds from the last record. Infinite: not in sight.
struct RemainingTime {
    double expected = 0;
    double low = 0, high = 0;  ///< the trend crosses the limit within with a probability of 90 %
};

class LimitLife {
 public:
    /// @param limit           an upper one where the first value lies below it, else a lower one
    /// @param memory_seconds  a record so old counts for a third
    LimitLife(double limit, double memory_seconds) : limit_(limit), memory_(memory_seconds) {}

    /// @param seconds  not before the record before, or the record is left out
    void add(double value, double seconds);
    /// @return all infinite while there are fewer than ten records or the trend leads away; all 0 beyond the limit
    [[nodiscard]] RemainingTime remaining() const;

    template <class Archive>
    void archive(Archive& archive) {
        archive(count_, start_, last_, weight_, t_, tt_, y_, ty_, yy_, squared_weight_, before_, product_,
                product_square_);
    }

 private:
    struct Line {
        double level, slope;  ///< now, and a second
        double error;         ///< mean squared
    };
    [[nodiscard]] Line line() const;

    double limit_, memory_;
    std::uint64_t count_ = 0;
    double start_ = 0, last_ = 0;  ///< the first value, around which we add up; the last time
    double weight_ = 0, t_ = 0, tt_ = 0, y_ = 0, ty_ = 0, yy_ = 0, squared_weight_ = 0;  ///< sums, times from now
    double before_ = 0, product_ = 0, product_square_ = 0;                               ///< errors of neighbours
};

}  // namespace sluice::models
