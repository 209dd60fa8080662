#include "models/detect/detector.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <numbers>
#include <random>
#include <vector>

namespace sluice::models {

namespace {

constexpr double kMinute = 60, kDay = 86400;
constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
constexpr double kAlarm = 0.99;

using Series = std::vector<double>;

/// `days` of records, one in five minutes: a daily wave with noise.
Series daily_wave(int days, double noise) {
    std::mt19937_64 random(1);
    std::normal_distribution<double> normal;
    Series series;
    for (int i = 0; i < days * 288; i++)
        series.push_back(20 + 5 * std::sin(i * 2 * std::numbers::pi / 288) + noise * normal(random));
    return series;
}

Series scores_of(Detector& detector, const Series& series, double interval = 5 * kMinute, double start = 1.7e9) {
    Series scores;
    for (std::size_t i = 0; i < series.size(); i++) {
        const double value = series[i];
        scores.push_back(detector.score({&value, 1}, start + interval * static_cast<double>(i)));
    }
    return scores;
}

Series scores_of(std::string_view method, const Series& series) {
    return scores_of(*make_detector(method, 1), series);
}

int alarms(const Series& scores, std::size_t from = 0) {
    int count = 0;
    for (std::size_t i = from; i < scores.size(); i++) count += scores[i] >= kAlarm;
    return count;
}

}  // namespace

TEST_CASE("detectors: every score lies in [0, 1], whatever the values") {
    for (const auto& method : detector_methods()) {
        CAPTURE(method.name);
        auto detector = make_detector(method.name, 1);
        REQUIRE(detector);
        std::mt19937_64 random(2);
        for (int i = 0; i < 3000; i++) {
            double value = std::ldexp(1.0, static_cast<int>(random() % 200) - 100) * (random() % 2 ? 1 : -1);
            if (i % 97 == 0) value = std::numeric_limits<double>::infinity();
            if (i % 89 == 0) value = kUnknown;
            if (i % 400 < 100) value = 7;
            const double score = detector->score({&value, 1}, i % 5 ? 60.0 * i : kUnknown);
            REQUIRE(score >= 0);
            REQUIRE(score <= 1);
        }
    }
}

TEST_CASE("detectors: a constant is never strange") {
    for (const auto& method : detector_methods()) {
        CAPTURE(method.name);
        CHECK(alarms(scores_of(method.name, Series(3000, 0.1))) == 0);
    }
}

TEST_CASE("detectors: a spike far out is found, and quiet data hardly alarms") {
    for (const auto& name : {"extremes", "ewma", "robust", "seasonal"}) {
        CAPTURE(name);
        auto series = daily_wave(8, 0.5);
        series[2000] += 40;
        const auto scores = scores_of(name, series);
        CHECK(scores[2000] >= kAlarm);
        if (std::string_view(name) == "extremes") CHECK(alarms(scores, 300) <= 4);
    }
}

TEST_CASE("detectors: a shift of one deviation that lasts is found by adding up") {
    std::mt19937_64 random(3);
    std::normal_distribution<double> normal;
    Series series;
    for (int i = 0; i < 1000; i++) series.push_back(normal(random) + (i >= 600 ? 1 : 0));
    for (const auto& name : {"cusum", "page-hinkley"}) {
        CAPTURE(name);
        const auto scores = scores_of(name, series);
        CHECK(alarms({scores.begin(), scores.begin() + 600}) == 0);
        CHECK(alarms({scores.begin() + 600, scores.begin() + 750}) > 0);
    }
}

TEST_CASE("extremes: the missing day of a daily pattern is found without a value out of range") {
    Series series;
    std::mt19937_64 random(4);
    std::normal_distribution<double> normal;
    for (int i = 0; i < 12 * 288; i++) {
        const bool working = i % 288 > 100 && i % 288 < 200 && i / 288 != 9;
        series.push_back((working ? 80 : 20) + normal(random));
    }
    const auto scores = scores_of("extremes", series);
    CHECK(alarms({scores.begin() + 9 * 288 + 100, scores.begin() + 10 * 288}) > 0);
    CHECK(alarms({scores.begin() + 4 * 288, scores.begin() + 9 * 288}) == 0);
}

TEST_CASE("extremes: one event is one alarm, and what was seen twice is normal") {
    std::mt19937_64 random(5);
    std::normal_distribution<double> normal;
    Series series;
    for (int i = 0; i < 6000; i++) series.push_back(normal(random) + (i >= 1000 && i % 500 < 10 ? 40 : 0));
    const auto scores = scores_of("extremes", series);
    CHECK(alarms({scores.begin() + 1000, scores.begin() + 1500}) == 1);
    CHECK(alarms({scores.begin() + 3000, scores.end()}) == 0);
}

TEST_CASE("extremes: a line that was flat and moves is strange, however little it moves") {
    Series series(1000, 5.0);
    series[700] = 5.0001;
    const auto scores = scores_of("extremes", series);
    CHECK(scores[700] >= kAlarm);
    CHECK(alarms(scores) <= 2);  // there, and back
}

TEST_CASE("detectors: the unit of a value doesn't matter") {
    auto series = daily_wave(6, 0.5);
    series[1400] += 20;
    auto other = series;
    for (double& value : other) value = 1.8 * value + 32;
    for (const auto& method : detector_methods()) {
        CAPTURE(method.name);
        const auto a = scores_of(method.name, series), b = scores_of(method.name, other);
        for (std::size_t i = 0; i < a.size(); i++) REQUIRE(a[i] == doctest::Approx(b[i]).epsilon(1e-6));
    }
}

TEST_CASE("detectors: a state that is saved and restored goes on with the same scores") {
    auto series = daily_wave(6, 0.5);
    series[1100] += 20;
    for (const auto& method : detector_methods()) {
        CAPTURE(method.name);
        for (std::size_t width : {std::size_t{1}, std::size_t{3}}) {
            if (width > 1 && !method.multivariate) continue;
            auto first = make_detector(method.name, width), second = make_detector(method.name, width);
            std::vector<double> values(width);
            for (std::size_t i = 0; i < series.size(); i++) {
                for (std::size_t j = 0; j < width; j++) values[j] = series[i] * static_cast<double>(j + 1);
                if (i == 1000) {
                    REQUIRE(second->restore(first->save()));
                    CHECK(second->save() == first->save());
                }
                const double score = first->score(values, 300.0 * static_cast<double>(i));
                if (i >= 1000) REQUIRE(second->score(values, 300.0 * static_cast<double>(i)) == score);
            }
        }
    }
}

TEST_CASE("detectors: a state of something else is refused, and the detector begins anew") {
    for (const auto& method : detector_methods()) {
        CAPTURE(method.name);
        auto detector = make_detector(method.name, 1);
        const auto fresh = detector->save();
        scores_of(*detector, daily_wave(2, 0.5));
        auto state = detector->save();
        CHECK_FALSE(detector->restore(""));
        CHECK(detector->save() == fresh);
        CHECK_FALSE(detector->restore(state.substr(0, state.size() - 1)));
        CHECK_FALSE(detector->restore(state + "x"));
        CHECK_FALSE(detector->restore(make_detector(method.name == "ewma" ? "cusum" : "ewma", 1)->save()));
        CHECK(detector->restore(state));
    }
    CHECK_FALSE(make_detector("drift", 2)->restore(make_detector("drift", 3)->save()));
}

TEST_CASE("detectors: a value that is not a number changes nothing") {
    for (const auto& method : detector_methods()) {
        CAPTURE(method.name);
        auto detector = make_detector(method.name, 1);
        scores_of(*detector, daily_wave(2, 0.5));
        const auto before = detector->save();
        CHECK(detector->score({&kUnknown, 1}, 1.8e9) == 0);
        CHECK(detector->save() == before);
    }
}

TEST_CASE("drift: the value that stood still counts, the one that wanders doesn't") {
    std::mt19937_64 random(6);
    std::normal_distribution<double> normal;
    const auto run = [&](double flow_shift, double temperature_shift) {
        auto detector = make_detector("drift", 2);
        double temperature = 0, highest = 0;
        for (int i = 0; i < 900; i++) {
            temperature += 0.05 * normal(random);
            const std::vector<double> values{normal(random) + (i > 600 ? flow_shift : 0),
                                             temperature + 0.1 * normal(random) + (i > 600 ? temperature_shift : 0)};
            const double score = detector->score(values, i);
            if (i < 400) CHECK(score == 0);
            highest = std::max(highest, score);
        }
        return highest;
    };
    CHECK(run(0, 0) < kAlarm);
    CHECK(run(3, 0) >= kAlarm);
    CHECK(run(0, 1) < kAlarm);
}

TEST_CASE("detectors: all but wide ones fit into 4 KiB, state and all") {
    for (const auto& method : detector_methods()) {
        CAPTURE(method.name);
        CHECK(make_detector(method.name, 1)->memory_bytes() <= 4096);
        CHECK(make_detector(method.name, 1)->save().size() <= 4096);
    }
    CHECK(make_detector("drift", 8)->memory_bytes() <= 4096);
}

TEST_CASE("detectors: there is none for no values, too many, or a method of one value for two") {
    CHECK(make_detector("drift", 0) == nullptr);
    CHECK(make_detector("drift", kDetectorWidthMax + 1) == nullptr);
    CHECK(make_detector("ewma", 2) == nullptr);
    CHECK(make_detector("", 1) == nullptr);
    CHECK(default_detector_method(1) == "extremes");
    CHECK(default_detector_method(2) == "drift");
}

}  // namespace sluice::models
