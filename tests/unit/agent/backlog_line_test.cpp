#include "agent/backlog_line.hpp"

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using namespace sluice::agent;

namespace {

constexpr auto kFirstLook = BacklogLine::TimePoint{} + 1h;

sluice::bridge::kafka::ForwarderStatus draining() {
    sluice::bridge::kafka::ForwarderStatus status;
    status.backlog = 9000;
    status.rates.arrival_per_s = 10;
    status.rates.drain_per_s = 100;
    status.rates.drain_time.emplace(100);
    return status;
}

}  // namespace

TEST_CASE("backlog line: said once a minute, and its end") {
    BacklogLine line;
    auto status = draining();
    CHECK_FALSE(line.due(status, kFirstLook));
    CHECK(line.due(status, kFirstLook + 60s) == "backlog: 9000 records wait; 10 a second come, 100 go; gone in 100s");
    CHECK_FALSE(line.due(status, kFirstLook + 119s));
    CHECK(line.due(status, kFirstLook + 120s));
    status.rates.keeps_up = true;
    CHECK(line.due(status, kFirstLook + 121s) == "the backlog is gone");
    CHECK_FALSE(line.due(status, kFirstLook + 200s));
}

TEST_CASE("backlog line: one that is gone within the minute is not said, and neither is its end") {
    BacklogLine line;
    auto status = draining();
    CHECK_FALSE(line.due(status, kFirstLook));
    status.backlog = 0;
    CHECK_FALSE(line.due(status, kFirstLook + 61s));
}

TEST_CASE("backlog line: says that it is never gone, or what is to be expected after the outage") {
    BacklogLine line;
    auto status = draining();
    status.rates.drain_time.reset();
    static_cast<void>(line.due(status, kFirstLook));
    CHECK(line.due(status, kFirstLook + 1min)->ends_with("never gone at this rate"));
    status.outage.emplace();
    CHECK(line.due(status, kFirstLook + 2min)->ends_with("the cluster is away"));
    status.rates.capacity_per_s = 100;
    CHECK(line.due(status, kFirstLook + 3min)->ends_with("gone in 100s once it is back"));
}

TEST_CASE("backlog line: durations as a person says them") {
    CHECK(rough_duration(0s) == "0s");
    CHECK(rough_duration(119s) == "119s");
    CHECK(rough_duration(121s) == "3m");
    CHECK(rough_duration(2h) == "2h");
    CHECK(rough_duration(2h + 1s) == "2h 1m");
    CHECK(rough_duration(49h) == "2d 1h");
}
