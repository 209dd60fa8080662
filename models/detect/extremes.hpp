// extremes.hpp: the default for one value: an alarm where the series goes where it has never been twice.
//
// Five views of the value are watched: the value, its slow mean, its difference from what is usual at this time of the
// day and week (in units of what is usual there), the mean of that difference, and its last step (in units of its
// steps). Each has a range that it was seen in; the score tells how far the farthest of them lies outside. What was
// said is held for a while: a score is more than 0 only where it tops the score before, so that an event is one alarm,
// at its beginning.
//
// Sources: the value outside of its range so far and one alarm an event, Lavin and Ahmad, "Evaluating real-time anomaly
// detection algorithms", 2015 (arXiv 1510.03336); the second largest as the limit, the standardized seasonal residual
// and the step in units of steps are from the comparison in docs/detectors.md.
#pragma once

#include "models/detect/detector_base.hpp"
#include "models/detect/seen_range.hpp"

#include <array>

namespace sluice::models {

/// What is usual at a time of the day and of the week, learned by a running mean in each hour.
class DailyProfile {
 public:
    struct Usual {
        double value;
        double deviation;  ///< mean absolute difference from the usual at this hour; 0 while nothing is known
    };
    /// What is usual at `seconds`, before `value` is learned; then learns it.
    /// @param level   taken while the hour isn't known
    /// @param count   records so far, this one included
    Usual predict_and_learn(double value, double seconds, double level, std::uint64_t count);

    template <class Archive>
    void archive(Archive& archive) {
        archive(day_mean_, day_deviation_, week_mean_, day_count_, week_count_, overall_deviation_, day_error_,
                week_error_);
    }

 private:
    static constexpr std::size_t kHoursOfDay = 24, kHoursOfWeek = 168;
    std::array<double, kHoursOfDay> day_mean_{}, day_deviation_{};
    std::array<double, kHoursOfWeek> week_mean_{};
    std::array<std::uint8_t, kHoursOfDay> day_count_{};    ///< saturates
    std::array<std::uint8_t, kHoursOfWeek> week_count_{};  ///< saturates
    double overall_deviation_ = 0, day_error_ = 0, week_error_ = 0;
};

class ExtremesDetector final : public DetectorBase<ExtremesDetector> {
 public:
    static constexpr std::string_view kName = "extremes";
    explicit ExtremesDetector(std::size_t /*width*/) {}

    double score(std::span<const double> values, double seconds) override;
    [[nodiscard]] std::size_t width() const override { return 1; }

    template <class Archive>
    void archive(Archive& archive) {
        archive(count_, profile_, level_, fast_, slow_, step_, sustained_, held_, ranges_);
    }

 private:
    double strangeness(double value, double seconds);
    double hold(double strangeness);

    std::uint64_t count_ = 0;
    DailyProfile profile_;
    double level_ = 0;  ///< means of the value: over 100, 3 and 30 records
    double fast_ = 0;
    double slow_ = 0;
    double step_ = 0;       ///< mean absolute step away from the fast mean
    double sustained_ = 0;  ///< mean of the surprise
    double held_ = 0;       ///< what a strangeness has to top
    std::array<SeenRange, 5> ranges_;
};

}  // namespace sluice::models
