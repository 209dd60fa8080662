#include "agent/events.hpp"

#include "tests/support/log_builder.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using namespace sluice;
using agent::Events;
using storage::Offset;

TEST_CASE("events: a gap is counted, said in the log, and becomes a record that names stream, range and reason") {
    test::TestLog log;
    int said = 0;
    Events events("gateway-1", log.clock, [&](bridge::Severity severity, auto&&...) {
        if (severity == bridge::Severity::error) ++said;
    });
    events.gap({"telemetry", Offset(10), Offset(15), 5, "corruption \xff"});
    CHECK(events.gaps() == 1);
    CHECK(said == 1);
    {
        storage::GroupCommit commit({}, {});
        events.flush(commit, *log);
        events.flush(commit, *log);  // a second one has nothing to say
        commit.stop();
    }
    const auto values = log.values();
    REQUIRE(values.size() == 1);
    const auto event = nlohmann::json::parse(values[0]);
    CHECK(event["event"] == "gap");
    CHECK(event["agent"] == "gateway-1");
    CHECK(event["stream"] == "telemetry");
    CHECK(event["first_offset"] == 10);
    CHECK(event["next_offset"] == 15);
    CHECK(event["count"] == 5);
}

TEST_CASE("events: every reason that records are given up for has a cause") {
    using sluice::agent::cause_of;
    using sluice::agent::to_string;
    CHECK(to_string(cause_of("no space: the oldest segment was dropped (on_full = \"drop_oldest\")")) == "no-space");
    CHECK(to_string(cause_of("no space: what arrived was dropped (on_full = \"drop_newest\")")) == "no-space");
    CHECK(to_string(cause_of("retention (age)")) == "retention");
    CHECK(to_string(cause_of("damaged batch set aside at recovery")) == "damage");
    CHECK(to_string(cause_of("the end of a segment, or a whole one, is missing")) == "damage");
    CHECK(to_string(cause_of("the agent was not stopped in order: what was only in memory (durability = \"memory\") is "
                             "lost")) == "restart");
    CHECK(to_string(cause_of("refused by Kafka, and no space for dead letters: too large")) == "refused");
    CHECK(to_string(cause_of("a message on t of 9 bytes; at most 8 can be kept: only its beginning is, as a dead "
                             "letter")) == "too-large");
    CHECK(to_string(cause_of("")) == "other");
}

TEST_CASE("events: an outage is a record when it begins and one when it ends, with backlog and drain time") {
    test::TestLog log;
    Events events("gateway-1", log.clock, [](auto&&...) {});
    bridge::kafka::OutageChange change;
    change.outage.reason = "no broker";
    change.backlog = 7;
    events.outage(change);
    change.over = true;
    change.lasted = std::chrono::seconds(90);
    change.drain_time.emplace(12.5);
    events.outage(change);
    {
        storage::GroupCommit commit({}, {});
        events.flush(commit, *log);
        commit.stop();
    }
    const auto values = log.values();
    REQUIRE(values.size() == 2);
    const auto begin = nlohmann::json::parse(values[0]);
    CHECK(begin["event"] == "outage_begin");
    CHECK(begin["reason"] == "no broker");
    CHECK(begin["backlog"] == 7);
    CHECK(begin["drain_s"].is_null());
    CHECK_FALSE(begin.contains("lasted_ms"));
    const auto end = nlohmann::json::parse(values[1]);
    CHECK(end["event"] == "outage_end");
    CHECK(end["agent"] == "gateway-1");
    CHECK(end["lasted_ms"] == 90'000);
    CHECK(end["drain_s"] == 12.5);
}
