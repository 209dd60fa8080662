// Detectors, remaining life and vibration in expressions say what they say by themselves.
#include "models/learned/learned.hpp"

#include "models/detect/detector.hpp"
#include "models/life/limit_life.hpp"
#include "models/vibration/vibration.hpp"
#include "support.hpp"
#include "tests/unit/models/life_fleet.hpp"

#include <doctest/doctest.h>

#include <random>

using namespace sluice::models;
using namespace sluice::models::test;

namespace {

std::string fault_of(const std::string& text) {
    FieldTable table;
    const auto compiled = rules::compile(text, table, {});
    const auto* faults = std::get_if<rules::Diagnostics>(&compiled);
    if (faults == nullptr) return "";
    const auto& fault = faults->front();
    return std::to_string(fault.column) + ": " + fault.what + " (" + fault.to_do + ")";
}

}  // namespace

TEST_CASE("learned: anomaly() gives the scores of each detector") {
    for (const auto& method : detector_methods()) {
        CAPTURE(method.name);
        Expression expression("anomaly(x, method='" + std::string(method.name) + "')");
        const auto detector = make_detector(method.name, 1);
        std::mt19937 random(7);
        std::normal_distribution<double> noise(50, 3);
        double highest = 0;
        for (int i = 0; i < 1500; ++i) {
            const double seconds = 1'700'000'000 + i * 300.0;
            const double x = noise(random) + (i > 1400 ? 40 : 0);
            const double score = expression.add(seconds, {{"x", x}});
            const std::vector<double> values{x};
            CHECK(score == detector->score(values, seconds));
            highest = std::max(highest, score);
        }
        CHECK(highest > 0.9);
        CHECK(expression.program().state_bytes() < 4096);
    }
}

TEST_CASE("learned: a detector passes over what comes late, and has no value before the first") {
    Expression expression("anomaly(x)");
    CHECK(std::isnan(expression.wait(1)));
    Expression again("anomaly(x)");
    for (int i = 0; i < 200; ++i) {
        const double score = expression.add(10 + i, {{"x", 5.0 + i % 3}});
        CHECK(again.add(10 + i, {{"x", 5.0 + i % 3}}) == score);
        CHECK(again.add(5 + i, {{"x", 1e6}}) == score);
    }
}

TEST_CASE("learned: life() is the time until the trend crosses the limit") {
    Expression expression("life(x, limit=95)");
    Expression low("life(x, 95, 'low', memory=7d)");
    LimitLife life(95, 7 * 86400);
    for (int i = 0; i < 300; ++i) {
        const double x = 60 + 0.05 * i + (i % 5) * 0.1;
        const double left = expression.add(i * 60, {{"x", x}});
        life.add(x, i * 60);
        CHECK(left == life.remaining().expected);
        CHECK(low.add(i * 60, {{"x", x}}) == life.remaining().low);
    }
    CHECK(expression.add(300 * 60, {{"x", 75.0}}) == doctest::Approx(400 * 60).epsilon(0.05));
    FieldTable table;
    CHECK(
        std::holds_alternative<rules::Program>(rules::compile("life(x, limit=95) < 24h", table, rules::Type::boolean)));
}

TEST_CASE("learned: remaining() is what the model says of the records that have all of its columns") {
    const auto models = pump_model();
    Expression expected("remaining(model='pump')", models);
    Expression high("remaining('pump', bound='high')", models);
    LifeTracker tracker(*models.at("pump").model);
    const auto history = fleet(1, 3).front();
    double seconds = 0;
    for (const auto& row : history.rows) {
        CHECK(std::isnan(expected.add(seconds, {{"temperature", row[0]}})) == (seconds < 60 * LifeModel::kRowsMin));
        const Fields whole{{"temperature", row[0]}, {"noise", row[1]}};
        tracker.add(std::span(row).first(2));
        seconds += 60;
        const auto told = expected.add(seconds, whole);
        const auto told_high = high.add(seconds, whole);
        if (seconds < 60 * LifeModel::kRowsMin) {
            CHECK(std::isnan(told));
            continue;
        }
        CHECK(told == tracker.remaining().expected);
        CHECK(told_high == tracker.remaining().high);
    }
    CHECK(tracker.remaining().expected < 10);
}

TEST_CASE("learned: a model that isn't named, and fields that don't fit it, are told") {
    FieldTable table;
    const auto models = pump_model();
    const auto fault = [&](const std::string& text) {
        const auto compiled = rules::compile(text, table, {}, models);
        const auto& first = std::get<rules::Diagnostics>(compiled).front();
        return std::to_string(first.column) + ": " + first.what + " (" + first.to_do + ")";
    };
    CHECK(fault("remaining('pumps') < 3") ==
          "11: \"model\" of remaining() is no model that [rules] models names (did you mean \"pump\"?)");
    CHECK(fault_of("remaining('pump') < 3").find("models = { pump = ") != std::string::npos);
    CHECK(
        fault("noise == 'loud' and remaining('pump') < 3").find("\"'pump'\" is a number here (it is a text in 1:1)") !=
        std::string::npos);
    CHECK(fault("remaining('pump') < 3h").find("a time") != std::string::npos);
}

TEST_CASE("learned: what was gathered for one model is nothing to another") {
    FieldTable table;
    const auto fingerprint = [&](const LifeModels& models) {
        return std::get<rules::Program>(rules::compile("remaining('pump') < 3", table, {}, models)).fingerprint();
    };
    const LifeModels other{
        {"pump", NamedLifeModel::of(std::get<LifeModel>(LifeModel::train(kColumns, fleet(20, 9), {})))}};
    CHECK(fingerprint(pump_model()) == fingerprint(pump_model()));
    CHECK(fingerprint(pump_model()) != fingerprint(other));
}

TEST_CASE("learned: spectrum() knows level, impacts and lines") {
    std::vector<double> samples(1024);
    for (std::size_t i = 0; i < samples.size(); ++i)
        samples[i] = 3 * std::sin(2 * 3.14159265358979 * 100 * static_cast<double>(i) / 1000);
    const auto value = [&](const std::string& text) { return Expression(text).add(1, {{"s", samples}}); };
    CHECK(value("spectrum(s, 'rms')") == doctest::Approx(3 / std::sqrt(2)).epsilon(0.01));
    CHECK(value("spectrum(s, 'crest_factor')") ==
          doctest::Approx(1.345).epsilon(0.01));  // ten samples a turn miss its peak
    CHECK(value("spectrum(s, 'kurtosis')") == doctest::Approx(1.5).epsilon(0.01));
    CHECK(value("spectrum(s, 'peak_frequency', rate=1000)") == doctest::Approx(100).epsilon(0.02));
    CHECK(value("spectrum(s, 'band_rms', rate=1000, low=80, high=120)") == doctest::Approx(2.12).epsilon(0.02));
    CHECK(value("spectrum(s, 'band_rms', rate=1000, low=200, high=400)") < 0.05);
    CHECK(std::isnan(value("spectrum(s, 'band_rms')")));  // of which rate?
    samples.resize(15);
    CHECK(std::isnan(value("spectrum(s, 'rms')")));
}

TEST_CASE("learned: arguments by name, words and what may be left out are checked") {
    CHECK(fault_of("anomaly(x, method='drfit') > 1") ==
          "19: \"method\" of anomaly() is none of its words (did you mean \"drift\"?)");
    CHECK(fault_of("anomaly(x, methd='drift') > 1") ==
          "12: \"anomaly\" has no argument \"methd\" (did you mean \"method\"?)");
    CHECK(fault_of("anomaly() > 1").starts_with("1: \"anomaly\" takes 1 to 2 arguments and not 0"));
    CHECK(fault_of("anomaly(x, 'drift', method='drift') > 1")
              .starts_with("1: \"anomaly\" takes 1 to 2 arguments and not 3"));
    CHECK(fault_of("life(x) < 1h").starts_with("1: \"life\" takes 2 to 4 arguments and not 1"));
    CHECK(fault_of("life(x, limit=1h) < 1h") != "");
    CHECK(fault_of("spectrum(s, 'rms', rate=1s) > 1") != "");
    CHECK(fault_of("temperature = 80").starts_with("13: \"=\" sets nothing here"));
}
