// deviation.hpp: how many deviations a value lies away from the values before it, by a running mean or a median.
#pragma once

#include "models/detect/detector_base.hpp"
#include "models/detect/extremes.hpp"

#include <array>

namespace sluice::models {

/// A running mean and variance; the mean over about the last 100 records.
struct RunningMoments {
    std::uint64_t count = 0;
    double mean = 0, variance = 0;

    void learn(double value);
    /// Deviations away from the mean; 0 while fewer than 30 values are known, infinite where a constant moves.
    [[nodiscard]] double deviate(double value) const;

    template <class Archive>
    void archive(Archive& archive) {
        archive(count, mean, variance);
    }
};

/// "ewma": Roberts, Technometrics 1959.
class EwmaDetector final : public DetectorBase<EwmaDetector> {
 public:
    static constexpr std::string_view kName = "ewma";
    explicit EwmaDetector(std::size_t /*width*/) {}
    double score(std::span<const double> values, double seconds) override;
    [[nodiscard]] std::size_t width() const override { return 1; }

    template <class Archive>
    void archive(Archive& archive) {
        archive(moments_);
    }

 private:
    RunningMoments moments_;
};

/// "robust": median and median absolute deviation of the last 128 records, which outliers don't move. Iglewicz and
/// Hoaglin, "How to detect and handle outliers", 1993; where more than half of the values are equal, by the mean
/// deviation.
class RobustDetector final : public DetectorBase<RobustDetector> {
 public:
    static constexpr std::string_view kName = "robust";
    explicit RobustDetector(std::size_t /*width*/) {}
    double score(std::span<const double> values, double seconds) override;
    [[nodiscard]] std::size_t width() const override { return 1; }

    template <class Archive>
    void archive(Archive& archive) {
        archive(count_, window_);
    }

 private:
    [[nodiscard]] double deviate(double value) const;

    std::uint64_t count_ = 0;
    std::array<double, 128> window_{};
};

/// "seasonal": the difference from what is usual at this time of the day and week. Without times, from the level.
class SeasonalDetector final : public DetectorBase<SeasonalDetector> {
 public:
    static constexpr std::string_view kName = "seasonal";
    explicit SeasonalDetector(std::size_t /*width*/) {}
    double score(std::span<const double> values, double seconds) override;
    [[nodiscard]] std::size_t width() const override { return 1; }

    template <class Archive>
    void archive(Archive& archive) {
        archive(count_, level_, profile_);
    }

 private:
    std::uint64_t count_ = 0;
    double level_ = 0;
    DailyProfile profile_;
};

}  // namespace sluice::models
