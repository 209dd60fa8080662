// detector.hpp: how strange a record is, judged from the records before it.
//
// Every detector is streaming: one pass, no look-ahead, a state of fixed size, no training files. Methods, costs and
// measured scores: docs/detectors.md.
// Invariants
//   - a score depends on no later record, and not on the unit of a value (a·x + b scores as x, to rounding).
//   - a score lies in [0, 1]; 0.99 is where a method suggests to call a record an anomaly.
//   - a value that is not finite is left out: it changes nothing, and a record with no other value scores 0.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::models {

class Detector {
 public:
    virtual ~Detector() = default;

    /// Scores one record and learns from it. Called with records in order, by one thread at a time.
    /// @param values   width() of them
    /// @param seconds  the record's time since 1970; not finite: unknown, and nothing is learned about the time of day
    /// @return in [0, 1]; 0 while there is too little to compare with
    virtual double score(std::span<const double> values, double seconds) = 0;

    /// How many values a record has.
    [[nodiscard]] virtual std::size_t width() const = 0;
    /// Bytes of memory that the detector occupies, now and ever.
    [[nodiscard]] virtual std::size_t memory_bytes() const = 0;
    /// The state as bytes, for restore(). The same state gives the same bytes.
    [[nodiscard]] virtual std::string save() const = 0;
    /// Takes a state that save() gave, of the same method and width; then scores go on as if never interrupted.
    /// @return false where `state` is of something else or damaged in its length; the detector is then as new
    [[nodiscard]] virtual bool restore(std::string_view state) = 0;
};

/// A method, for --help and for messages.
struct DetectorMethod {
    std::string_view name;
    std::string_view what;  ///< in a few words
    bool multivariate;      ///< takes more than one value
};

/// All methods, the defaults first.
[[nodiscard]] const std::vector<DetectorMethod>& detector_methods();

/// The method for `width` values when none is named: "extremes" for one, "drift" for more.
[[nodiscard]] std::string_view default_detector_method(std::size_t width);

/// @param width  1 to kDetectorWidthMax; 1 for a method that isn't multivariate
/// @return nullptr: no such method, or not for so many values
[[nodiscard]] std::unique_ptr<Detector> make_detector(std::string_view method, std::size_t width);

inline constexpr std::size_t kDetectorWidthMax = 64;

}  // namespace sluice::models
