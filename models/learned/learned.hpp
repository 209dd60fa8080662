// learned.hpp: detectors, remaining life and vibration as functions of the rule language.
#pragma once

#include "models/life/life_model.hpp"
#include "models/stateful_function.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>

namespace sluice::models {

/// The methods of anomaly(), by their numbers.
inline constexpr std::array<std::string_view, 7> kAnomalyMethods{"extremes", "drift", "ewma",        "robust",
                                                                 "seasonal", "cusum", "page-hinkley"};
/// The score of the newest value, 0 to 1: as detector.hpp has it. A value that comes late is passed over.
[[nodiscard]] std::unique_ptr<const StatefulFunction> anomaly(std::size_t method);

/// What life() tells, by number.
inline constexpr std::array<std::string_view, 3> kLifeBounds{"expected", "low", "high"};
/// In seconds from the newest value until the trend crosses `limit` (limit_life.hpp); infinite where it won't.
[[nodiscard]] std::unique_ptr<const StatefulFunction> life(double limit, std::size_t bound, double memory_seconds);

/// Likewise, in rows, as a model says that has learned from units that failed (life_model.hpp). A record is a row.
[[nodiscard]] std::unique_ptr<const StatefulFunction> remaining(std::shared_ptr<const LifeModel> model,
                                                                std::size_t bound);
/// Bytes for each device that a column of the model takes.
[[nodiscard]] std::size_t remaining_column_bytes();

/// What spectrum() tells of an array of samples, by number.
inline constexpr std::array<std::string_view, 7> kSpectrumFeatures{
    "rms", "peak", "crest_factor", "kurtosis", "band_rms", "peak_frequency", "defect_level"};
struct SpectrumOptions {
    std::size_t feature = 0;
    double rate = 0;  ///< samples a second; of the last three
    double low = 0;   ///< a band, in Hz: of band_rms and, where the machine resonates, of defect_level; high 0: all
    double high = 0;
    double hz = 0;  ///< how often the damage is rolled over: of defect_level
};
/// Of the newest array that was long enough (vibration.hpp).
[[nodiscard]] std::unique_ptr<const StatefulFunction> spectrum(const SpectrumOptions& options);

}  // namespace sluice::models
