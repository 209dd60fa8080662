// change.hpp: a small shift that lasts, found by adding up what each record is off: CUSUM and Page-Hinkley.
//
// Both are from E. S. Page, "Continuous inspection schemes", Biometrika 1954. CUSUM compares with the mean of the first
// 200 records, Page-Hinkley with the mean of all records since the last alarm.
#pragma once

#include "models/detect/deviation.hpp"

namespace sluice::models {

/// "cusum": slack of half a deviation, 0.99 at five. It stays high as long as the shift lasts.
class CusumDetector final : public DetectorBase<CusumDetector> {
 public:
    static constexpr std::string_view kName = "cusum";
    explicit CusumDetector(std::size_t /*width*/) {}
    double score(std::span<const double> values, double seconds) override;
    [[nodiscard]] std::size_t width() const override { return 1; }

    template <class Archive>
    void archive(Archive& archive) {
        archive(count_, mean_, squares_, up_, down_);
    }

 private:
    std::uint64_t count_ = 0;
    double mean_ = 0, squares_ = 0;  ///< of the learning; squares around the mean
    double up_ = 0, down_ = 0;
};

/// "page-hinkley": slack of a quarter of a deviation, 0.99 at 25. One alarm a shift: then it begins anew.
class PageHinkleyDetector final : public DetectorBase<PageHinkleyDetector> {
 public:
    static constexpr std::string_view kName = "page-hinkley";
    explicit PageHinkleyDetector(std::size_t /*width*/) {}
    double score(std::span<const double> values, double seconds) override;
    [[nodiscard]] std::size_t width() const override { return 1; }

    template <class Archive>
    void archive(Archive& archive) {
        archive(spread_, count_, mean_, up_, down_);
    }

 private:
    RunningMoments spread_;
    std::uint64_t count_ = 0;  ///< since the last alarm
    double mean_ = 0, up_ = 0, down_ = 0;
};

}  // namespace sluice::models
