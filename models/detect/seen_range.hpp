// seen_range.hpp: where a value has been before, and how far beyond that a new one lies.
//
// A range that took in every extreme would be spoilt by the first outlier; one that forgets would alarm for the same
// event again and again. So: an extreme that was seen once is an event, one that was seen twice is normal. The upper
// limit is the second highest event, the lower limit the second lowest, and both creep towards each other.
#pragma once

#include <cstdint>

namespace sluice::models {

class SeenRange {
 public:
    /// How far `value` lies outside of the limits, in widths of the range; 0 inside. Then the limits learn from it.
    /// @param count  records so far, this one included
    double beyond(double value, std::uint64_t count);

    template <class Archive>
    void archive(Archive& archive) {
        archive(high_, low_, top_, bottom_, high_at_, low_at_);
    }

 private:
    void learn(double value, double range, std::uint64_t count);

    double high_ = 0, low_ = 0;               ///< the limits
    double top_ = 0, bottom_ = 0;             ///< the greatest events
    std::uint64_t high_at_ = 0, low_at_ = 0;  ///< when a limit was last passed; 0: never
};

/// Records that only set the limits.
inline constexpr std::uint64_t kRangeLearnRecords = 20;

}  // namespace sluice::models
