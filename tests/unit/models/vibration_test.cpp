#include "models/vibration/vibration.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <numbers>
#include <random>
#include <vector>

namespace sluice::models {

namespace {

constexpr double kRate = 10'000;

std::vector<float> sine(double hz, double amplitude, std::size_t count = 8000) {
    std::vector<float> samples(count);
    for (std::size_t i = 0; i < count; i++) {
        samples[i] = static_cast<float>(amplitude * std::sin(2 * std::numbers::pi * hz * double(i) / kRate));
    }
    return samples;
}

/// A resonance at 3 kHz, struck `hz` times a second, in noise.
std::vector<float> struck(double hz, double strength) {
    std::mt19937_64 random(1);
    std::normal_distribution<double> normal;
    std::vector<float> samples(20'000);
    for (std::size_t i = 0; i < samples.size(); i++) {
        const double since = std::fmod(double(i) / kRate, 1 / hz);
        const double ring = std::exp(-since * 500) * std::sin(2 * std::numbers::pi * 3000 * since);
        samples[i] = static_cast<float>(strength * ring + 0.2 * normal(random));
    }
    return samples;
}

}  // namespace

TEST_CASE("vibration: the levels of a sine, whatever its offset") {
    auto samples = sine(100, 2);
    for (float& sample : samples) sample += 50;
    const auto levels = vibration_levels(samples);
    CHECK(levels.rms == doctest::Approx(std::sqrt(2.0)).epsilon(1e-4));
    CHECK(levels.crest_factor == doctest::Approx(std::sqrt(2.0)).epsilon(1e-3));
    CHECK(levels.kurtosis == doctest::Approx(1.5).epsilon(1e-3));
}

TEST_CASE("vibration: impacts raise kurtosis and crest factor, noise has a kurtosis of 3") {
    const auto quiet = vibration_levels(struck(87, 0)), damaged = vibration_levels(struck(87, 2));
    CHECK(quiet.kurtosis == doctest::Approx(3).epsilon(0.1));
    CHECK(damaged.kurtosis > 6);
    CHECK(damaged.crest_factor > 1.2 * quiet.crest_factor);
}

TEST_CASE("vibration: a constant or nothing has no levels and no spectrum") {
    CHECK(vibration_levels(std::vector<float>(100, 3.3F)).rms == 0);
    CHECK(vibration_levels({}).kurtosis == 0);
    CHECK(Spectrum({}, kRate).peak_frequency() == 0);
    CHECK(Spectrum(std::vector<float>(1), kRate).band_rms(0, kRate) == 0);
}

TEST_CASE("vibration: the spectrum finds amplitude, frequency and the strength of a band") {
    for (const std::size_t count : {8000U, 7919U}) {  // a product of small primes, and a prime
        CAPTURE(count);
        auto samples = sine(500, 2, count);
        const auto other = sine(1800, 0.5, count);
        for (std::size_t i = 0; i < count; i++) samples[i] += other[i];
        const Spectrum spectrum(samples, kRate);
        CHECK(spectrum.peak_frequency() == doctest::Approx(500).epsilon(0.005));
        CHECK(spectrum.amplitude(1800, 5) == doctest::Approx(0.5).epsilon(0.1));
        CHECK(spectrum.band_rms(400, 600) == doctest::Approx(std::sqrt(2.0)).epsilon(0.01));
        CHECK(spectrum.band_rms(0, kRate / 2) == doctest::Approx(vibration_levels(samples).rms).epsilon(0.01));
        CHECK(spectrum.band_rms(2500, 4000) < 0.01);
        CHECK(spectrum.band_rms(600, 400) == 0);
    }
}

TEST_CASE("vibration: the defect frequencies of a bearing whose figures are published") {
    // Case Western Reserve University, drive end, 6205-2RS: multiples of the shaft's frequency.
    const auto defects = defect_frequencies({9, 0.3126, 1.537, 0}, 1);
    CHECK(defects.inner_race == doctest::Approx(5.4152).epsilon(1e-3));
    CHECK(defects.outer_race == doctest::Approx(3.5848).epsilon(1e-3));
    CHECK(defects.cage == doctest::Approx(0.39828).epsilon(1e-3));
    CHECK(2 * defects.element == doctest::Approx(4.7135).epsilon(1e-3));  // they count both races
}

TEST_CASE("vibration: the envelope shows the rate of impacts, which the plain spectrum doesn't") {
    const auto samples = struck(87, 2);
    const auto envelope = envelope_spectrum(samples, kRate, 2000, 4000);
    CHECK(envelope.peak_frequency() == doctest::Approx(87).epsilon(0.01));
    CHECK(Spectrum(samples, kRate).peak_frequency() > 2000);
    CHECK(defect_level(envelope, 87.5) > 5);
    CHECK(defect_level(envelope, 61) < 4);
    CHECK(defect_level(envelope_spectrum(struck(87, 0), kRate, 2000, 4000), 87.5) < 4);
    CHECK(defect_level(envelope, 0) == 0);
}

}  // namespace sluice::models
