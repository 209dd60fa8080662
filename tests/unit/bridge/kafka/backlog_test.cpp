#include "bridge/kafka/backlog.hpp"

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using sluice::bridge::kafka::BacklogMeter;
using sluice::bridge::kafka::BacklogRates;
using sluice::bridge::kafka::BacklogWatch;

namespace {

constexpr auto kMeterStart = BacklogMeter::TimePoint{} + 1h;

/// One sample a second: `arrivals` records come and `drains` go, of 100 bytes each.
struct MeteredGateway {
    BacklogRates run(int seconds, std::uint64_t arrivals, std::uint64_t drains) {
        BacklogRates rates;
        for (int i = 0; i < seconds; ++i) {
            sample.at += 1s;
            sample.arrived += arrivals;
            sample.arrived_bytes += arrivals * 100;
            const auto gone = std::min(drains, sample.backlog + arrivals);
            sample.backlog = sample.backlog + arrivals - gone;
            sample.forwarded_bytes += gone * 100;
            rates = meter.update(sample);
        }
        return rates;
    }
    BacklogMeter meter{2s};
    BacklogMeter::Sample sample{kMeterStart, 0, 0, 0, 0};
};

}  // namespace

TEST_CASE("backlog: at the first sample nothing is known of rates") {
    BacklogMeter meter(2s);
    const auto rates = meter.update({kMeterStart, 100, 1000, 50, 500});
    CHECK(rates.arrival_per_s == 0);
    CHECK(rates.drain_per_s == 0);
    CHECK_FALSE(rates.keeps_up);
    CHECK_FALSE(rates.drain_time);
    CHECK_FALSE(rates.capacity_per_s);
}

TEST_CASE("backlog: the drain time is the backlog by what it shrinks in a second") {
    BacklogMeter meter(2s);
    static_cast<void>(meter.update({kMeterStart, 1000, 100'000, 1000, 0}));
    const auto rates = meter.update({kMeterStart + 1s, 1100, 110'000, 800, 30'000});
    CHECK(rates.arrival_per_s == doctest::Approx(100));
    CHECK(rates.arrival_bytes_per_s == doctest::Approx(10'000));
    CHECK(rates.drain_per_s == doctest::Approx(300));
    CHECK(rates.drain_bytes_per_s == doctest::Approx(30'000));
    REQUIRE(rates.drain_time);
    CHECK(rates.drain_time->count() == doctest::Approx(4));
}

TEST_CASE("backlog: one that grows or stays is never gone") {
    MeteredGateway gateway;
    gateway.run(10, 200, 0);
    CHECK_FALSE(gateway.run(40, 200, 100).drain_time);
    CHECK_FALSE(gateway.run(40, 200, 200).drain_time);
}

TEST_CASE("backlog: what has just come in is none") {
    MeteredGateway gateway;
    gateway.run(1, 100, 0);
    const auto rates = gateway.run(40, 100, 100);  // 100 records are always on their way
    CHECK(gateway.sample.backlog == 100);
    CHECK(rates.keeps_up);
    CHECK(rates.drain_time == std::chrono::duration<double>(0));
    CHECK_FALSE(rates.capacity_per_s);  // an uplink that takes all that comes has not shown what it can
}

TEST_CASE("backlog: what is older than the window is forgotten") {
    MeteredGateway gateway;
    gateway.run(10, 1000, 1000);
    const auto rates = gateway.run(31, 0, 0);
    CHECK(rates.arrival_per_s == 0);
    CHECK(rates.drain_per_s == 0);
}

TEST_CASE("backlog: after an outage the rate is that of what leaves since, and the arrival rate is kept") {
    MeteredGateway gateway;
    gateway.run(60, 100, 0);
    gateway.meter.turn();
    gateway.run(1, 100, 1000);
    const auto rates = gateway.run(1, 100, 1000);  // of the last second alone: the one before it began with the turn
    CHECK(rates.drain_per_s == doctest::Approx(1000));
    CHECK(rates.arrival_per_s == doctest::Approx(100));
    REQUIRE(rates.drain_time);
    CHECK(rates.drain_time->count() == doctest::Approx(static_cast<double>(gateway.sample.backlog) / 900));
}

TEST_CASE("backlog: what the uplink has shown it can take is remembered in an outage") {
    MeteredGateway gateway;
    gateway.run(60, 100, 0);
    gateway.meter.turn();
    gateway.run(5, 100, 500);
    gateway.meter.turn();
    const auto rates = gateway.run(40, 100, 0);
    CHECK(rates.drain_per_s == 0);
    CHECK_FALSE(rates.drain_time);
    REQUIRE(rates.capacity_per_s);
    REQUIRE(rates.expected_drain_time(4000));
    CHECK(*rates.capacity_per_s == doctest::Approx(500));
    CHECK(rates.expected_drain_time(0) == std::chrono::duration<double>(0));
}

TEST_CASE("backlog: a cursor that goes back is no drain") {
    BacklogMeter meter(2s);
    static_cast<void>(meter.update({kMeterStart, 1000, 0, 10, 0}));
    CHECK(meter.update({kMeterStart + 1s, 900, 0, 100, 0}).drain_per_s == 0);
}

TEST_CASE("backlog: the sum of all streams has rates of its own") {
    BacklogWatch watch(2s);
    CHECK(watch.all().drain_per_s == 0);
    CHECK(watch.rates(7).drain_per_s == 0);
    watch.update({{kMeterStart, 0, 0, 1000, 0}, {kMeterStart, 0, 0, 0, 0}});
    watch.update({{kMeterStart + 1s, 1000, 0, 1000, 0}, {kMeterStart + 1s, 500, 0, 0, 0}});
    CHECK(watch.rates(0).drain_per_s == doctest::Approx(0));
    CHECK(watch.rates(1).drain_per_s == doctest::Approx(500));
    CHECK(watch.all().arrival_per_s == doctest::Approx(1500));
}
