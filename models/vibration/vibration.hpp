// vibration.hpp: what a block of vibration samples tells about a machine: its strength, its impacts, its spectrum, and
// the spectrum of its envelope, where a damaged bearing shows the rate at which the damage is rolled over.
//
// Sources: kurtosis, Dyer and Stewart, J. Mechanical Design 1978; envelope analysis and the defect frequencies, Randall
// and Antoni, "Rolling element bearing diagnostics: a tutorial", Mechanical Systems and Signal Processing 2011.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace sluice::models {

struct VibrationLevels {
    double rms = 0;           ///< around the mean, in the unit of the samples
    double peak = 0;          ///< the farthest from the mean
    double crest_factor = 0;  ///< peak / rms; 1.41 for a sine
    double kurtosis = 0;      ///< 3 for noise, 1.5 for a sine, far more for impacts
};

/// All 0 for fewer than two samples or a constant.
[[nodiscard]] VibrationLevels vibration_levels(std::span<const float> samples);

/// An amplitude for each frequency from 0 to half of the sample rate.
class Spectrum {
 public:
    /// @param sample_rate  in Hz, more than 0
    Spectrum(std::span<const float> samples, double sample_rate);

    /// Root mean square of what lies from `low` to `high` Hz, both included.
    [[nodiscard]] double band_rms(double low, double high) const;
    /// Of a sine at `hz`, give or take `tolerance`: the highest there, in the unit of the samples.
    [[nodiscard]] double amplitude(double hz, double tolerance) const;
    /// Of the highest line above 0 Hz.
    [[nodiscard]] double peak_frequency() const;
    /// Between two neighbouring lines, in Hz.
    [[nodiscard]] double resolution() const { return resolution_; }

 private:
    /// The lines from `low` to `high` Hz.
    [[nodiscard]] std::span<const double> lines(double low, double high) const;

    double resolution_ = 0;
    double noise_bandwidth_ = 1;  ///< of the window, in lines
    std::vector<double> amplitudes_;
};

/// The spectrum of the envelope of what lies from `low` to `high` Hz: a band where the machine resonates.
[[nodiscard]] Spectrum envelope_spectrum(std::span<const float> samples, double sample_rate, double low, double high);

struct BearingGeometry {
    int elements = 0;             ///< balls or rollers, in one row
    double element_diameter = 0;  ///< in the unit of the next
    double pitch_diameter = 0;
    double contact_angle_degrees = 0;
};

/// How often a damage of each part is rolled over, in Hz.
struct DefectFrequencies {
    double cage = 0, outer_race = 0, inner_race = 0, element = 0;
};

[[nodiscard]] DefectFrequencies defect_frequencies(const BearingGeometry& bearing, double shaft_hz);

/// How far a defect stands out of an envelope spectrum: the mean amplitude at `hz` and its multiples up to `harmonics`,
/// over the root mean square of a line in the band around them. About 1 where there is nothing. Slip is allowed for: 2
/// %.
[[nodiscard]] double defect_level(const Spectrum& envelope, double hz, int harmonics = 3);

}  // namespace sluice::models
