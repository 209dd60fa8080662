// backoff.hpp: growing waits between attempts, with jitter, so that a fleet doesn't knock all at once.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <random>

namespace sluice::bridge {

/// Waits double from `least` up to `most`; each is drawn from its upper half (equal jitter). One owner.
class Backoff {
 public:
    Backoff(std::chrono::milliseconds least, std::chrono::milliseconds most, std::uint32_t seed)
        : least_(least), most_(most), next_(least), random_(seed) {}

    [[nodiscard]] std::chrono::milliseconds next() {
        const auto full = next_.count();
        next_ = std::min(next_ * 2, most_);
        return std::chrono::milliseconds(std::uniform_int_distribution<std::int64_t>(full / 2, full)(random_));
    }
    void reset() { next_ = least_; }

 private:
    std::chrono::milliseconds least_;
    std::chrono::milliseconds most_;
    std::chrono::milliseconds next_;
    std::minstd_rand random_;
};

}  // namespace sluice::bridge
