#include "bridge/kafka/pacing.hpp"

#include <algorithm>

namespace sluice::bridge::kafka {

namespace {

// A second in which less was sent or answered says nothing of the ratio.
constexpr double kLeastToLearnFrom = 1024;
// A second's part in the ratio fades with those after it, slowly: answers come later than what they answer.
constexpr double kFade = 0.95;
constexpr double kRatioMin = 0.01;
constexpr double kRatioMax = 10;

}  // namespace

double TokenBucket::level(TimePoint now) const {
    const double seconds = std::chrono::duration<double>(now - at_).count();
    return std::min(burst_, level_ + std::max(0.0, seconds) * rate_per_s_);
}

void TokenBucket::take(double tokens, TimePoint now) {
    level_ = std::min(burst_, level(now) - tokens);
    at_ = now;
}

TokenBucket::TimePoint TokenBucket::when(double tokens, TimePoint now) const {
    const double missing = std::min(tokens, burst_) - level(now);
    if (missing <= 0) return now;
    return now + std::chrono::ceil<std::chrono::milliseconds>(std::chrono::duration<double>(missing / rate_per_s_));
}

Pacer::Pacer(std::uint64_t rate, std::uint64_t burst, TimePoint now)
    : bucket_(static_cast<double>(rate), static_cast<double>(burst), now) {}

std::size_t Pacer::room(TimePoint now) {
    const double level = bucket_.level(now);
    if (flowing_ && level < 1) flowing_ = false;
    if (!flowing_ && level >= bucket_.burst() / 2) flowing_ = true;
    return flowing_ ? std::max<std::size_t>(1, static_cast<std::size_t>(level / ratio_)) : 0;
}

Pacer::TimePoint Pacer::next_at(TimePoint now) const {
    return bucket_.when(flowing_ ? 1 : bucket_.burst() / 2, now);
}

void Pacer::sent(std::size_t bytes, TimePoint now) {
    const auto records = static_cast<double>(bytes);
    handed_ += records;
    charged_ += records * ratio_;
    bucket_.take(records * ratio_, now);
}

void Pacer::measured(std::uint64_t wire_total, std::size_t in_flight, TimePoint now) {
    const auto more = static_cast<double>(wire_total - std::min(last_total_, wire_total));
    last_total_ = wire_total;
    wire_ += more;
    const double answered = handed_ - static_cast<double>(in_flight);
    if (more + answered - answered_ >= kLeastToLearnFrom) {
        lately_wire_ = lately_wire_ * kFade + more;
        lately_answered_ = lately_answered_ * kFade + std::max(0.0, answered - answered_);
        ratio_ = std::clamp(lately_wire_ / std::max(1.0, lately_answered_), kRatioMin, kRatioMax);
    }
    answered_ = answered;
    // What is in flight is charged and may not have been sent; the rest has.
    const double correction = wire_ - (charged_ - static_cast<double>(in_flight) * ratio_);
    bucket_.take(correction - corrected_, now);
    corrected_ = correction;
}

}  // namespace sluice::bridge::kafka
