// duration_histogram.hpp: how long something took, in fixed classes, cheap enough for each message.
//
// Any thread counts and any thread reads, with relaxed atomics: a reading may miss what is being counted, and never
// sees less than the one before.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace sluice::storage {

class DurationHistogram {
 public:
    using Duration = std::chrono::microseconds;
    /// The upper ends of the classes, themselves included; beyond the last one there is one more class.
    static constexpr std::array<std::int64_t, 22> kBoundsUs = {
        100,        250,        500,         1'000,         2'500,         5'000,         10'000,    25'000,
        50'000,     100'000,    250'000,     500'000,       1'000'000,     2'500'000,     5'000'000, 10'000'000,
        30'000'000, 60'000'000, 300'000'000, 1'800'000'000, 7'200'000'000, 86'400'000'000};

    struct Reading {
        std::array<std::uint64_t, kBoundsUs.size() + 1> counts{};  ///< of each class alone
        std::int64_t sum_us = 0;

        Reading& operator+=(const Reading& other) {
            for (std::size_t i = 0; i < counts.size(); ++i) counts[i] += other.counts[i];
            sum_us += other.sum_us;
            return *this;
        }
    };

    /// What is negative (a clock that was set back, or a device's that is ahead) counts as 0.
    void observe(std::chrono::nanoseconds took, std::uint64_t times = 1) {
        const auto us = std::max<std::int64_t>(0, std::chrono::duration_cast<Duration>(took).count());
        const auto at = std::lower_bound(kBoundsUs.begin(), kBoundsUs.end(), us) - kBoundsUs.begin();
        counts_[static_cast<std::size_t>(at)].fetch_add(times, std::memory_order_relaxed);
        sum_us_.fetch_add(us * static_cast<std::int64_t>(times), std::memory_order_relaxed);
    }
    [[nodiscard]] Reading read() const {
        Reading reading;
        for (std::size_t i = 0; i < counts_.size(); ++i) {
            reading.counts[i] = counts_[i].load(std::memory_order_relaxed);
        }
        reading.sum_us = sum_us_.load(std::memory_order_relaxed);
        return reading;
    }

 private:
    std::array<std::atomic<std::uint64_t>, kBoundsUs.size() + 1> counts_{};
    std::atomic<std::int64_t> sum_us_{0};
};

}  // namespace sluice::storage
