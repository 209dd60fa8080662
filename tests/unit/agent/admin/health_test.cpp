#include "agent/admin/health.hpp"

#include "agent/admin/status_json.hpp"
#include "tests/unit/agent/support_snapshot.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using namespace sluice::agent;
using namespace sluice::agent::admin;
using sluice::test::busy_snapshot;

TEST_CASE("health: a cluster that is away is noted, and the agent is ready all the same") {
    const auto health = judge(busy_snapshot());
    CHECK(health.ready());
    REQUIRE(health.notes.size() == 1);
    CHECK(health.notes[0] ==
          "the cluster kafka-1:9092 is not connected since 2026-01-31T11:55:00.000Z: connection refused");
}

TEST_CASE("health: what keeps messages from being taken is a reason") {
    auto snapshot = busy_snapshot();
    snapshot.streams[0].blocked = true;
    CHECK(judge(snapshot).reasons == std::vector<std::string>{"stream telemetry: no space, its devices wait"});
    snapshot = busy_snapshot();
    snapshot.sources[0].connected = false;
    snapshot.sources[0].link = {false, snapshot.at, "no route to host"};
    CHECK(judge(snapshot).reasons.at(0).starts_with("source plant is not connected since"));
    snapshot = busy_snapshot();
    snapshot.failed = true;
    CHECK_FALSE(judge(snapshot).ready());
    snapshot = busy_snapshot();
    snapshot.fenced = true;
    CHECK_FALSE(judge(snapshot).ready());
}

TEST_CASE("health: a stream that is held is a note with its reason") {
    auto snapshot = busy_snapshot();
    snapshot.streams[0].forwarding->held = "the topic is missing";
    CHECK(judge(snapshot).notes.at(0) == "stream telemetry is held: the topic is missing");
}

TEST_CASE("status: the JSON has every part, and null where there is none") {
    Rates rates;
    rates.accepted_per_s = 12.34;
    rates.drain_s = 29;
    rates.streams["telemetry"].appended_per_s = 5;
    const auto json = status_json(busy_snapshot(), rates);
    CHECK(json.at("schema") == 1);
    CHECK(json.at("agent").at("id") == "gateway-17");
    CHECK(json.at("agent").at("uptime_seconds") == 49 * 3600);
    CHECK(json.at("ready") == true);
    CHECK(json.at("messages").at("accepted_per_second") == 12.3);
    CHECK(json.at("backlog").at("records") == 290);
    CHECK(json.at("backlog").at("drain_seconds") == 29.0);
    CHECK(json.at("kafka").at("why") == "connection refused");
    CHECK(json.at("kafka").at("transactions_committed") == 41);
    CHECK(json.at("sources").at(0).at("why").is_null());
    CHECK(json.at("streams").at(0).at("forwarding").at("backlog") == 290);
    CHECK(json.at("streams").at(1).at("forwarding").is_null());
    CHECK(json.at("storage").at("given_up").at("no-space") == 17);
    CHECK(json.at("rules").at("firing_by_rule").at("overheating") == 1);
    auto bare = busy_snapshot();
    bare.rules.reset();
    bare.forwarder.reset();
    bare.listener.reset();
    bare.quota_bytes.reset();
    const auto little = status_json(bare, {});
    CHECK(little.at("kafka").is_null());
    CHECK(little.at("rules").is_null());
    CHECK(little.at("listener").is_null());
    CHECK(little.at("storage").at("quota_bytes").is_null());
}

TEST_CASE("status: bytes of a peer that are not UTF-8 don't break the JSON") {
    auto snapshot = busy_snapshot();
    snapshot.forwarder->link.why = "bad \xff\x01\n";
    CHECK(nlohmann::json::accept(dump(status_json(snapshot, {}))));
}
