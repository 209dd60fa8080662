#include "models/vibration/vibration.hpp"

#include "models/vibration/fft.hpp"

#include <algorithm>
#include <cmath>
#include <complex>
#include <numbers>

namespace sluice::models {

namespace {

using Complex = std::complex<float>;

constexpr double kSlip = 0.02;  // rolling elements slide a little

double mean_of(std::span<const float> samples) {
    double sum = 0;
    for (const float sample : samples) sum += sample;
    return samples.empty() ? 0 : sum / static_cast<double>(samples.size());
}

}  // namespace

VibrationLevels vibration_levels(std::span<const float> samples) {
    if (samples.size() < 2) return {};
    const double mean = mean_of(samples), count = static_cast<double>(samples.size());
    double second = 0, fourth = 0, peak = 0;
    for (const float sample : samples) {
        const double off = sample - mean, square = off * off;
        second += square;
        fourth += square * square;
        peak = std::max(peak, std::fabs(off));
    }
    const double rms = std::sqrt(second / count);
    if (rms <= 1e-7 * std::fabs(mean)) return {};
    return {rms, peak, peak / rms, fourth * count / (second * second)};
}

Spectrum::Spectrum(std::span<const float> samples, double sample_rate) {
    if (samples.size() < 2) return;
    const std::size_t count = samples.size();
    const double mean = mean_of(samples);
    std::vector<Complex> values(count);
    double sum = 0, squares = 0;
    for (std::size_t i = 0; i < count; i++) {  // Hann: a line doesn't leak into all others
        const double window = 0.5 - 0.5 * std::cos(2 * std::numbers::pi * static_cast<double>(i) / double(count));
        sum += window;
        squares += window * window;
        values[i] = static_cast<float>((samples[i] - mean) * window);
    }
    fourier(values, false);
    resolution_ = sample_rate / static_cast<double>(count);
    noise_bandwidth_ = squares * static_cast<double>(count) / (sum * sum);
    amplitudes_.resize(count / 2 + 1);
    for (std::size_t i = 0; i < amplitudes_.size(); i++) amplitudes_[i] = 2 * std::abs(values[i]) / sum;
}

std::span<const double> Spectrum::lines(double low, double high) const {
    if (amplitudes_.empty() || high < low || high < 0) return {};
    const auto last = static_cast<double>(amplitudes_.size() - 1);
    const auto from = static_cast<std::size_t>(std::clamp(std::ceil(low / resolution_ - 1e-9), 0.0, last + 1));
    const auto to = static_cast<std::size_t>(std::clamp(std::floor(high / resolution_ + 1e-9), 0.0, last) + 1);
    return from < to ? std::span(amplitudes_).subspan(from, to - from) : std::span<const double>();
}

double Spectrum::band_rms(double low, double high) const {
    double sum = 0;
    for (const double amplitude : lines(low, high)) sum += amplitude * amplitude / 2;
    return std::sqrt(sum / noise_bandwidth_);
}

double Spectrum::amplitude(double hz, double tolerance) const {
    const double reach = std::max(tolerance, resolution_ / 2);
    double highest = 0;
    for (const double amplitude : lines(hz - reach, hz + reach)) highest = std::max(highest, amplitude);
    return highest;
}

double Spectrum::peak_frequency() const {
    if (amplitudes_.size() < 2) return 0;
    const auto highest = std::max_element(amplitudes_.begin() + 1, amplitudes_.end());
    return resolution_ * static_cast<double>(highest - amplitudes_.begin());
}

Spectrum envelope_spectrum(std::span<const float> samples, double sample_rate, double low, double high) {
    const std::size_t count = samples.size();
    const double mean = mean_of(samples);
    std::vector<Complex> values(count);
    for (std::size_t i = 0; i < count; i++) values[i] = static_cast<float>(samples[i] - mean);
    fourier(values, false);
    for (std::size_t i = 0; i < count; i++) {  // positive frequencies of the band: the analytic signal
        const double hz = sample_rate * static_cast<double>(i) / static_cast<double>(count);
        values[i] *= hz >= low && hz <= high && hz <= sample_rate / 2 ? 2.0F : 0.0F;
    }
    fourier(values, true);
    std::vector<float> envelope(count);
    for (std::size_t i = 0; i < count; i++) envelope[i] = std::abs(values[i]);
    return {envelope, sample_rate};
}

DefectFrequencies defect_frequencies(const BearingGeometry& bearing, double shaft_hz) {
    const double angle = bearing.contact_angle_degrees * std::numbers::pi / 180;
    const double ratio = bearing.element_diameter / bearing.pitch_diameter * std::cos(angle);
    const double passes = bearing.elements * shaft_hz / 2;
    return {shaft_hz / 2 * (1 - ratio), passes * (1 - ratio), passes * (1 + ratio),
            shaft_hz * bearing.pitch_diameter / (2 * bearing.element_diameter) * (1 - ratio * ratio)};
}

double defect_level(const Spectrum& envelope, double hz, int harmonics) {
    if (hz <= 0 || harmonics < 1 || envelope.resolution() <= 0) return 0;
    double sum = 0;
    for (int k = 1; k <= harmonics; k++) sum += envelope.amplitude(k * hz, k * hz * kSlip);
    const double low = hz / 2, high = (harmonics + 0.5) * hz;
    const double around =
        envelope.band_rms(low, high) / std::sqrt((high - low) / envelope.resolution()) * std::sqrt(2.0);
    return around > 0 ? sum / harmonics / around : 0;
}

}  // namespace sluice::models
