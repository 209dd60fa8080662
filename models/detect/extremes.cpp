#include "models/detect/extremes.hpp"

#include "models/numbers.hpp"
namespace sluice::models {

namespace {

constexpr std::uint64_t kWarmRecords = 60;
constexpr double kKnownVisits = 3;      // an hour visited so often counts as much as the level
constexpr double kDayStep = 1.0 / 120;  // of a mean, for each record in its hour
constexpr double kWeekStep = 1.0 / 40;
constexpr double kErrorStep = 0.02;
constexpr double kDeviationStep = 0.002;
constexpr double kTrustRecords = 500;     // ranges of so many records are half believed
constexpr double kHoldShare = 0.07;       // what was said is held for this share of the records so far,
constexpr double kHoldRecordsMin = 5;     // at least and
constexpr double kHoldRecordsMax = 1000;  // at most; then it has faded to a third
constexpr double kHoldMargin = 0.2;

double fading_mean(std::uint8_t& count, double& mean, double value, double step) {
    if (count < 255) count++;
    return mean += std::max(1.0 / count, step) * (value - mean);
}

}  // namespace

DailyProfile::Usual DailyProfile::predict_and_learn(double value, double seconds, double level, std::uint64_t count) {
    double usual = level;
    double deviation = overall_deviation_;
    const bool timed = std::isfinite(seconds);
    const double hours = timed ? std::floor(seconds / 3600) : 0;
    const auto day_hour = static_cast<std::size_t>(hours - 24 * std::floor(hours / 24));
    const auto week_hour = static_cast<std::size_t>(hours - 168 * std::floor(hours / 168));
    if (timed) {
        const double day_share = day_count_[day_hour] / (day_count_[day_hour] + kKnownVisits);
        const double week_share = week_count_[week_hour] / (week_count_[week_hour] + kKnownVisits);
        const double by_day = day_mean_[day_hour] * day_share + level * (1 - day_share);
        const double by_week = week_mean_[week_hour] * week_share + by_day * (1 - week_share);
        // Whichever was nearer lately counts for more.
        const double day_weight = 1 / (square(day_error_) + 1e-300), week_weight = 1 / (square(week_error_) + 1e-300);
        const double step = step_of(count, kErrorStep);
        day_error_ += step * (std::fabs(value - by_day) - day_error_);
        week_error_ += step * (std::fabs(value - by_week) - week_error_);
        usual = count < 50 ? by_day : (day_weight * by_day + week_weight * by_week) / (day_weight + week_weight);
        deviation = day_deviation_[day_hour] * day_share + overall_deviation_ * (1 - day_share);
    }
    if (std::fabs(value - usual) <= kRounding * std::fabs(value)) usual = value;
    const double off = std::fabs(value - usual);
    const double scale = overall_deviation_ > 0 ? 0.7 * deviation + 0.6 * overall_deviation_ : 0;
    overall_deviation_ += step_of(count, kDeviationStep) * (off - overall_deviation_);
    if (timed) {
        fading_mean(day_count_[day_hour], day_mean_[day_hour], value, kDayStep);
        day_deviation_[day_hour] += std::max(1.0 / day_count_[day_hour], kDayStep) * (off - day_deviation_[day_hour]);
        fading_mean(week_count_[week_hour], week_mean_[week_hour], value, kWeekStep);
    }
    return {usual, scale};
}

double ExtremesDetector::score(std::span<const double> values, double seconds) {
    if (!std::isfinite(values[0])) return 0;
    count_++;
    if (count_ == 1) level_ = fast_ = slow_ = values[0];
    return hold(strangeness(values[0], seconds));
}

double ExtremesDetector::strangeness(double value, double seconds) {
    const bool learned = count_ > kRangeLearnRecords;
    const auto usual = profile_.predict_and_learn(value, seconds, level_, count_);
    const double surprise = learned && usual.deviation > 0 ? (value - usual.value) / usual.deviation : 0;
    sustained_ += step_of(count_, 0.1) * (surprise - sustained_);
    const double step = value - fast_;
    const double relative_step = learned && step_ > 0 ? step / step_ : 0;
    step_ += step_of(count_, 0.003) * (std::fabs(step) - step_);
    fast_ += step_of(count_, 0.3) * step;
    slow_ += step_of(count_, 0.03) * (value - slow_);
    level_ += step_of(count_, 0.01) * (value - level_);

    double farthest = 0;
    const std::array<double, 5> views{value, slow_, surprise, sustained_, relative_step};
    constexpr std::array<double, 5> kWeights{1, 1, 1, 1, 0.5};
    for (std::size_t i = 0; i < views.size(); i++) {
        farthest = std::max(farthest, kWeights[i] * ranges_[i].beyond(views[i], count_));
    }
    const double records = static_cast<double>(count_);
    return 4 * std::log10(1 + 10 * farthest * records / (records + kTrustRecords));
}

double ExtremesDetector::hold(double strangeness) {
    const double records = std::clamp(kHoldShare * static_cast<double>(count_), kHoldRecordsMin, kHoldRecordsMax);
    held_ *= std::exp(-1 / records);
    if (count_ <= kWarmRecords || strangeness <= held_) return 0;
    held_ = strangeness + kHoldMargin;
    return 1 - std::pow(10.0, -2 * strangeness);  // 0.99 is at a strangeness of 1
}

}  // namespace sluice::models
