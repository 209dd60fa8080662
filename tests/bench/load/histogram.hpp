// histogram.hpp: latencies in fixed memory, each within 1.6 % of what it was.
//
// Log-linear: 64 buckets to each power of two. Not thread-safe.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace sluice::load {

class Histogram {
 public:
    void record(std::uint64_t value) {
        ++buckets_[bucket_of(value)];
        ++count_;
        max_ = std::max(max_, value);
    }

    [[nodiscard]] std::uint64_t count() const { return count_; }
    [[nodiscard]] std::uint64_t max() const { return max_; }

    /// No more than `share` of the values is above what this returns, which is the upper end of a bucket. 0 if empty.
    [[nodiscard]] std::uint64_t percentile(double share) const {
        const auto wanted = static_cast<double>(count_) * share;
        std::uint64_t seen = 0;
        for (std::size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
            seen += buckets_[bucket];
            if (seen > 0 && static_cast<double>(seen) >= wanted) return std::min(upper_end(bucket), max_);
        }
        return max_;
    }

 private:
    static constexpr std::size_t kLinear = 64;
    static constexpr std::size_t kLinearBits = 6;

    static std::size_t bucket_of(std::uint64_t value) {
        if (value < kLinear) return value;
        const auto shift = static_cast<std::size_t>(std::bit_width(value)) - kLinearBits - 1;
        return shift * kLinear + (value >> shift);
    }

    static std::uint64_t upper_end(std::size_t bucket) {
        if (bucket < kLinear) return bucket;
        const auto shift = bucket / kLinear - 1;
        return ((bucket % kLinear + kLinear + 1) << shift) - 1;
    }

    std::array<std::uint64_t, (64 - kLinearBits + 1) * kLinear> buckets_{};
    std::uint64_t count_ = 0;
    std::uint64_t max_ = 0;
};

}  // namespace sluice::load
