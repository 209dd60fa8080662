#include "models/life/limit_life.hpp"

#include "models/numbers.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace sluice::models {

namespace {

constexpr double kNinetyPercent = 1.6449;  // two-sided
constexpr double kCorrelationMax = 0.98;
constexpr std::uint64_t kTrendRecordsMin = 10;

}  // namespace

void LimitLife::add(double value, double seconds) {
    if (!std::isfinite(value) || !std::isfinite(seconds) || (count_ > 0 && seconds < last_)) return;
    if (count_ == 0) {
        start_ = value;
        last_ = seconds;
    }
    const double passed = seconds - last_, keep = std::exp(-passed / memory_);
    tt_ = keep * (tt_ - 2 * passed * t_ + passed * passed * weight_);
    ty_ = keep * (ty_ - passed * y_);
    t_ = keep * (t_ - passed * weight_);
    y_ *= keep;
    yy_ *= keep;
    weight_ *= keep;
    squared_weight_ *= keep * keep;
    last_ = seconds;

    const double off = value - start_;
    weight_ += 1;
    squared_weight_ += 1;
    y_ += off;
    yy_ += off * off;
    count_++;

    const double error = off - line().level;
    product_ = keep * product_ + error * before_;
    product_square_ = keep * product_square_ + error * error;
    before_ = error;
}

LimitLife::Line LimitLife::line() const {
    const double spread = tt_ * weight_ - t_ * t_;
    if (spread <= 1e-12 * tt_ * weight_) return {y_ / weight_, 0, 0};
    const double slope = (ty_ * weight_ - t_ * y_) / spread, level = (y_ - slope * t_) / weight_;
    return {level, slope, std::max(0.0, yy_ - level * y_ - slope * ty_) / weight_};
}

RemainingTime LimitLife::remaining() const {
    const double spread = tt_ * weight_ - t_ * t_;
    if (count_ < kTrendRecordsMin || spread <= 0) return {kInfinite, kInfinite, kInfinite};
    const auto [level, slope, error] = line();
    const double left = limit_ - start_ - level;
    if ((left > 0) != (limit_ > start_)) return {0, 0, 0};
    if (slope == 0 || (left > 0) != (slope > 0)) return {kInfinite, kInfinite, kInfinite};
    // Neighbours that err alike are fewer records than they seem.
    const double correlation = product_square_ > 0 ? std::clamp(product_ / product_square_, 0.0, kCorrelationMax) : 0;
    const double records = weight_ * weight_ / squared_weight_ * (1 - correlation) / (1 + correlation);
    const double variance = error / std::max(1.0, records) * weight_ * kNinetyPercent * kNinetyPercent;
    const double level_variance = variance * tt_ / spread, slope_variance = variance * weight_ / spread,
                 covariance = -variance * t_ / spread;
    // (left - slope x)^2 = level_variance + 2 covariance x + slope_variance x^2
    const double a = slope * slope - slope_variance, b = left * slope + covariance, c = left * left - level_variance;
    const double root = std::sqrt(std::max(0.0, b * b - a * c));
    RemainingTime time{left / slope, 0, kInfinite};
    if (c > 0) time.low = std::clamp(c / (b + root), 0.0, time.expected);
    if (a > 0) time.high = std::max(time.expected, (b + root) / a);
    return time;
}

}  // namespace sluice::models
