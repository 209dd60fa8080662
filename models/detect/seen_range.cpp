#include "models/detect/seen_range.hpp"

#include "models/numbers.hpp"

#include <algorithm>
#include <cmath>

namespace sluice::models {

namespace {

constexpr std::uint64_t kSameEventRecords = 20;  // beyond the limit again so soon: still the same event
constexpr double kCreepRecords = 20'000;         // half of the range is given up over so many
constexpr double kStep = 0.05;                   // of the range: an event moves the limit by about so much

}  // namespace

double SeenRange::beyond(double value, std::uint64_t count) {
    if (count == 1) high_ = low_ = top_ = bottom_ = value;
    if (count <= kRangeLearnRecords) {
        high_ = top_ = std::max(high_, value);
        low_ = bottom_ = std::min(low_, value);
        return 0;
    }
    const double range = high_ - low_;
    const double over = std::max(value - high_, low_ - value);
    const double rounding = kRounding * std::max(std::fabs(high_), std::fabs(low_));
    learn(value, range, count);
    if (over <= rounding) return 0;
    return range > rounding ? over / range : 1.0;  // a constant that moves, however little
}

void SeenRange::learn(double value, double range, std::uint64_t count) {
    const auto growth = [&](double over) {
        return range > 0 ? kStep * range * std::log1p(over / (kStep * range)) : over;
    };
    if (value > high_) {
        const bool another = high_at_ == 0 || count - high_at_ > kSameEventRecords;
        high_ = std::max(high_ + growth(value - high_), another ? std::min(value, top_) : high_);
        top_ = std::max(top_, value);
        high_at_ = count;
    }
    if (value < low_) {
        const bool another = low_at_ == 0 || count - low_at_ > kSameEventRecords;
        low_ = std::min(low_ - growth(low_ - value), another ? std::max(value, bottom_) : low_);
        bottom_ = std::min(bottom_, value);
        low_at_ = count;
    }
    const double creep = (high_ - low_) / 2 / kCreepRecords;
    top_ = std::max(high_, top_ - creep);
    bottom_ = std::min(low_, bottom_ + creep);
    high_ -= creep;
    low_ += creep;
}

}  // namespace sluice::models
