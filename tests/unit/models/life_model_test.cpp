#include "tests/unit/models/life_fleet.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <random>

namespace sluice::models {

namespace {

RemainingLife left_after(const LifeModel& model, const LifeHistory& history, std::size_t rows) {
    LifeTracker tracker(model);
    for (std::size_t i = 0; i < rows; i++) tracker.add(std::span(history.rows[i]).first(2));
    return tracker.remaining();
}

}  // namespace

TEST_CASE("life model: units that it hasn't seen are told within their intervals, nearer to the end more closely") {
    const auto model = trained();
    CHECK(model.columns() == std::vector<std::string>{"temperature", "noise"});
    int inside = 0, all = 0;
    double early = 0, late = 0;
    for (const auto& history : fleet(40, 2)) {
        for (const std::size_t left : {10U, 40U, 70U}) {
            const auto told = left_after(model, history, history.rows.size() - left);
            const auto truth = static_cast<double>(left) - 1;  // the last row is the failure
            CHECK(told.low <= told.expected);
            CHECK(told.expected <= told.high);
            CHECK(told.low >= 0);
            inside += told.low <= truth && truth <= told.high;
            all++;
            if (left == 10) late += std::fabs(told.expected - truth);
            if (left == 70) early += std::fabs(told.expected - truth);
        }
    }
    CHECK(inside >= 0.8 * all);
    CHECK(late / 40 < 8);
    CHECK(early / 40 < 25);
    CHECK(late < early);
}

TEST_CASE("life model: the same histories give the same bytes, and the bytes the same model") {
    const auto model = trained();
    const auto bytes = model.to_bytes();
    CHECK(std::get<LifeModel>(LifeModel::train(kColumns, fleet(40, 1), {})).to_bytes() == bytes);
    CHECK(bytes.size() < 256 * 1024);
    const auto read = LifeModel::from_bytes(bytes);
    REQUIRE(read);
    CHECK(read->to_bytes() == bytes);
    const auto history = fleet(1, 3).front();
    CHECK(left_after(*read, history, 80).expected == left_after(model, history, 80).expected);
    CHECK(left_after(*read, history, 80).high == left_after(model, history, 80).high);
}

TEST_CASE("life model: bytes that are cut, changed or of something else are refused") {
    const auto bytes = trained().to_bytes();
    for (std::size_t size = 0; size < bytes.size(); size += 997)
        CHECK_FALSE(LifeModel::from_bytes(bytes.substr(0, size)));
    for (std::size_t at = 0; at < bytes.size(); at += 4999) {
        auto changed = bytes;
        changed[at] = static_cast<char>(changed[at] ^ 0x10);
        CHECK_FALSE(LifeModel::from_bytes(changed));
    }
    CHECK_FALSE(LifeModel::from_bytes(bytes + "x"));
    CHECK_FALSE(LifeModel::from_bytes("unit,cycle\n1,1\n"));
}

TEST_CASE("life model: what can't be learned from is said") {
    CHECK(std::get<std::string>(LifeModel::train(kColumns, fleet(9, 1), {})) == "fewer than 10 units");
    std::vector<LifeHistory> constant(12, LifeHistory{std::vector<std::vector<double>>(100, {1, 2, 3})});
    CHECK(std::get<std::string>(LifeModel::train(kColumns, constant, {})) == "no column that changes");
    auto brief = fleet(12, 1);
    for (auto& history : brief) history.rows.resize(20);
    CHECK(std::get<std::string>(LifeModel::train(kColumns, brief, {})).starts_with("no unit with more than 20 rows"));
}

TEST_CASE("life features: a young unit's windows hold what there is") {
    LifeFeatures features(1);
    std::vector<float> found;
    const float value = 2;
    features.add({&value, 1});
    features.append_to(found);
    REQUIRE(found.size() == LifeFeatures::count(1));
    for (int i = 0; i < 5; i++) CHECK(found[static_cast<std::size_t>(i)] == 2);
    for (int i = 5; i < 9; i++) CHECK(found[static_cast<std::size_t>(i)] == 0);
}

TEST_CASE("life features: slopes and means of a line, after the ring has gone round") {
    LifeFeatures features(1);
    std::vector<float> found;
    for (int i = 0; i < 1000; i++) {
        const float value = 0.5F * static_cast<float>(i);
        features.add({&value, 1});
    }
    features.append_to(found);
    CHECK(found[0] == doctest::Approx(0.5 * 997));
    CHECK(found[4] == doctest::Approx(0.5 * 959.5));
    CHECK(found[5] == doctest::Approx(0.5 * 20));
    CHECK(found[7] == doctest::Approx(0.5 * 80));
    CHECK(found[8] == doctest::Approx(0.5 * (994.5 - 19.5)));
}

}  // namespace sluice::models
