#include "models/detect/deviation.hpp"

#include "models/numbers.hpp"

#include <limits>

namespace sluice::models {

namespace {

constexpr std::uint64_t kRecordsMin = 30;
constexpr double kNormalOfMedian = 0.6745;    // a median absolute deviation is so many normal ones
constexpr double kNormalOfMean = 0.79788456;  // and a mean absolute deviation so many

double median(std::span<double> values) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

double ratio(double off, double deviation) {
    if (deviation > 0) return off / deviation;
    return off == 0 ? 0 : kInfinite;
}

}  // namespace

void RunningMoments::learn(double value) {
    count++;
    const double step = step_of(count, 0.01), off = value - mean;
    mean += step * off;
    variance = (1 - step) * (variance + step * off * off);
}

double RunningMoments::deviate(double value) const {
    return count < kRecordsMin ? 0 : ratio(value - mean, std::sqrt(variance));
}

double EwmaDetector::score(std::span<const double> values, double /*seconds*/) {
    if (!std::isfinite(values[0])) return 0;
    const double deviate = moments_.deviate(values[0]);
    moments_.learn(values[0]);
    return score_of_deviate(deviate);
}

double RobustDetector::score(std::span<const double> values, double /*seconds*/) {
    if (!std::isfinite(values[0])) return 0;
    const double deviated = count_ < kRecordsMin ? 0 : deviate(values[0]);
    window_[count_++ % window_.size()] = values[0];
    return score_of_deviate(deviated);
}

double RobustDetector::deviate(double value) const {
    auto work = window_;
    const auto known = std::span(work).first(std::min<std::size_t>(count_, work.size()));
    const double middle = median(known);
    double sum = 0;
    for (double& off : known) sum += off = std::fabs(off - middle);
    const double mean = sum / static_cast<double>(known.size());
    const double typical = median(known);
    return ratio(value - middle, typical > 0 ? typical / kNormalOfMedian : mean / kNormalOfMean);
}

double SeasonalDetector::score(std::span<const double> values, double seconds) {
    const double value = values[0];
    if (!std::isfinite(value)) return 0;
    if (++count_ == 1) level_ = value;
    const auto usual = profile_.predict_and_learn(value, seconds, level_, count_);
    level_ += step_of(count_, 0.01) * (value - level_);
    if (count_ < kRecordsMin) return 0;
    return score_of_deviate(ratio(value - usual.value, usual.deviation / kNormalOfMean));
}

}  // namespace sluice::models
