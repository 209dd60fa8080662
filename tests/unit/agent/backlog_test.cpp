#include "agent/backlog.hpp"

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using sluice::agent::BacklogMeter;

namespace {

constexpr auto kStart = BacklogMeter::TimePoint{} + 1h;

}  // namespace

TEST_CASE("backlog: at the first sample nothing is known of rates") {
    BacklogMeter meter(3s);
    const auto rates = meter.update({kStart, 100, 50, 50});
    CHECK(rates.accepted_per_s == 0);
    CHECK(rates.forwarded_per_s == 0);
    CHECK_FALSE(rates.drain_time);
}

TEST_CASE("backlog: the drain time is the backlog by what it shrinks in a second") {
    BacklogMeter meter(3s);
    static_cast<void>(meter.update({kStart, 0, 0, 1000}));
    const auto rates = meter.update({kStart + 1s, 100, 300, 800});
    CHECK(rates.accepted_per_s == doctest::Approx(100));
    CHECK(rates.forwarded_per_s == doctest::Approx(300));
    REQUIRE(rates.drain_time);
    CHECK(rates.drain_time->count() == doctest::Approx(4));
}

TEST_CASE("backlog: one that grows, or stays, has no drain time") {
    BacklogMeter meter(3s);
    static_cast<void>(meter.update({kStart, 0, 0, 0}));
    CHECK_FALSE(meter.update({kStart + 1s, 200, 100, 100}).drain_time);
    CHECK_FALSE(meter.update({kStart + 2s, 400, 300, 100}).drain_time);
}

TEST_CASE("backlog: what is older than the window is forgotten") {
    BacklogMeter meter(3s);
    static_cast<void>(meter.update({kStart, 0, 0, 0}));
    for (int second = 1; second <= 10; ++second) {
        const auto forwarded = second <= 5 ? 1000U * static_cast<unsigned>(second) : 5000U;
        const auto rates = meter.update({kStart + std::chrono::seconds(second), 0, forwarded, 0});
        if (second == 10) CHECK(rates.forwarded_per_s == 0);
    }
}
