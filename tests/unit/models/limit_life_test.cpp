#include "models/life/limit_life.hpp"

#include "models/detect/state.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <random>

namespace sluice::models {

TEST_CASE("life: a straight line is followed to its limit") {
    LimitLife rising(100, 1000), falling(-100, 1000);
    for (int i = 0; i <= 50; i++) {
        rising.add(i, i);
        falling.add(-i, i);
    }
    CHECK(rising.remaining().expected == doctest::Approx(50));
    CHECK(rising.remaining().low == doctest::Approx(50));
    CHECK(rising.remaining().high == doctest::Approx(50));
    CHECK(falling.remaining().expected == doctest::Approx(50));
}

TEST_CASE("life: nothing is in sight without records, without a trend, or with one that leads away") {
    LimitLife life(100, 1000);
    CHECK(std::isinf(life.remaining().low));
    for (int i = 0; i < 100; i++) life.add(5, i);
    CHECK(std::isinf(life.remaining().expected));
    for (int i = 100; i < 200; i++) life.add(5 - 0.01 * i, i);
    CHECK(std::isinf(life.remaining().expected));
}

TEST_CASE("life: noise without a trend has no upper end") {
    std::mt19937_64 random(1);
    std::normal_distribution<double> normal;
    LimitLife life(100, 500);
    int bounded = 0;
    for (int i = 0; i < 5000; i++) {
        life.add(normal(random), i);
        if (i > 500) bounded += std::isfinite(life.remaining().high);
    }
    CHECK(bounded < 0.15 * 4500);
}

TEST_CASE("life: beyond the limit nothing is left") {
    LimitLife life(40, 1000);
    for (int i = 0; i < 60; i++) life.add(i, i);
    CHECK(life.remaining().expected == 0);
    CHECK(life.remaining().high == 0);
}

TEST_CASE("life: the interval covers what it says, of neighbours that err alike too") {
    for (const double correlation : {0.0, 0.7}) {
        CAPTURE(correlation);
        int inside = 0, expected_within = 0;
        for (unsigned seed = 0; seed < 400; seed++) {
            std::mt19937_64 random(seed);
            std::normal_distribution<double> normal;
            LimitLife life(60, 300);
            double error = 0;
            for (int i = 0; i < 400; i++) {
                error = correlation * error + std::sqrt(1 - correlation * correlation) * 4 * normal(random);
                life.add(0.1 * i + error, i);
            }
            const auto time = life.remaining();  // the line reaches 60 at 600, the last record was at 399
            inside += time.low <= 201 && 201 <= time.high;
            expected_within += std::fabs(time.expected - 201) < 100;
        }
        CHECK(inside >= 0.84 * 400);
        CHECK(inside <= 0.96 * 400);
        CHECK(expected_within > 300);
    }
}

TEST_CASE("life: what can't be used is left out, and the state goes on elsewhere") {
    LimitLife life(100, 1000), other(100, 1000);
    for (int i = 0; i < 30; i++) life.add(i + (i % 3), i);
    ByteWriter before, after, again;
    before(life);
    life.add(NAN, 31);
    life.add(50, 3);
    after(life);
    const auto bytes = before.take();
    CHECK(after.take() == bytes);
    ByteReader reader(bytes);
    reader(other);
    CHECK(reader.complete());
    CHECK(other.remaining().expected == life.remaining().expected);
}

}  // namespace sluice::models
