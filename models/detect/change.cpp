#include "models/detect/change.hpp"

namespace sluice::models {

namespace {

constexpr std::uint64_t kCusumLearnRecords = 200;
constexpr double kCusumSlack = 0.5, kCusumAlarm = 5;
constexpr double kPageHinkleySlack = 0.25, kPageHinkleyAlarm = 25;
constexpr std::uint64_t kPageHinkleyRecordsMin = 30;
constexpr double kDeviateMax = 6;  // of one record: a single outlier isn't a shift

double limited(double deviate) {
    return std::clamp(deviate, -kDeviateMax, kDeviateMax);
}

double score_of_sum(double sum, double alarm) {
    return 1 - std::pow(10.0, -2 * sum / alarm);
}

}  // namespace

double CusumDetector::score(std::span<const double> values, double /*seconds*/) {
    const double value = values[0];
    if (!std::isfinite(value)) return 0;
    count_++;
    if (count_ <= kCusumLearnRecords) {
        const double off = value - mean_;
        mean_ += off / static_cast<double>(count_);
        squares_ += off * (value - mean_);
        return 0;
    }
    const double deviation = std::sqrt(squares_ / kCusumLearnRecords), off = value - mean_;
    const double deviate = deviation > 0 ? limited(off / deviation) : off == 0 ? 0 : std::copysign(kDeviateMax, off);
    // Not far above the alarm, so that it ends soon after the shift does.
    up_ = std::clamp(up_ + deviate - kCusumSlack, 0.0, 2 * kCusumAlarm);
    down_ = std::clamp(down_ - deviate - kCusumSlack, 0.0, 2 * kCusumAlarm);
    return score_of_sum(std::max(up_, down_), kCusumAlarm);
}

double PageHinkleyDetector::score(std::span<const double> values, double /*seconds*/) {
    const double value = values[0];
    if (!std::isfinite(value)) return 0;
    spread_.learn(value);
    count_++;
    mean_ += (value - mean_) / static_cast<double>(count_);
    const double deviation = std::sqrt(spread_.variance);
    if (count_ < kPageHinkleyRecordsMin || deviation <= 0) return 0;
    const double deviate = limited((value - mean_) / deviation);
    up_ = std::max(0.0, up_ + deviate - kPageHinkleySlack);
    down_ = std::max(0.0, down_ - deviate - kPageHinkleySlack);
    const double sum = std::max(up_, down_);
    if (sum >= kPageHinkleyAlarm) {
        count_ = 0;
        mean_ = up_ = down_ = 0;
    }
    return score_of_sum(sum, kPageHinkleyAlarm);
}

}  // namespace sluice::models
