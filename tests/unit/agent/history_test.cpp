#include "agent/history.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using namespace sluice;
using agent::History;

namespace {

constexpr std::int64_t kFirstMinute = 1'769'860'800;  // a whole minute

/// An agent that takes `rate` messages each second.
struct Agent {
    agent::Snapshot snapshot;
    History history;
    std::int64_t second = 0;

    Agent() { snapshot.sources.resize(1); }
    void run(std::int64_t seconds, std::uint64_t rate) {
        for (std::int64_t i = 0; i < seconds; ++i) {
            ++second;
            snapshot.at = storage::Timestamp(std::chrono::seconds(kFirstMinute + second));
            snapshot.ingest.received += rate;
            history.sample(snapshot, std::chrono::seconds(second));
        }
    }
};

}  // namespace

TEST_CASE("history: each second has its rate, and none is known before the second sample") {
    Agent agent;
    agent.run(1, 100);
    CHECK(agent.history.newest().is_null());
    agent.run(1, 100);
    agent.run(1, 30);
    const auto json = agent.history.json(std::chrono::seconds(60));
    CHECK(json.at("step_seconds") == 1);
    CHECK(json.at("time") == nlohmann::ordered_json({kFirstMinute + 2, kFirstMinute + 3}));
    CHECK(json.at("received") == nlohmann::ordered_json({100.0, 30.0}));
    CHECK(agent.history.newest().at("received") == 30.0);
}

TEST_CASE("history: what is longer ago is coarser, and a rate there is the mean") {
    Agent agent;
    agent.run(3600, 10);
    agent.run(3600, 20);
    const auto hours = agent.history.json(std::chrono::hours(2));
    CHECK(hours.at("step_seconds") == 10);
    CHECK(hours.at("time").size() >= 719);
    CHECK(hours.at("received").front() == 10.0);
    CHECK(hours.at("received").back() == 20.0);
    const auto days = agent.history.json(std::chrono::hours(48));
    CHECK(days.at("step_seconds") == 60);
    CHECK(days.at("received").size() == 120);
}

TEST_CASE("history: the memory is bounded, and the oldest goes first") {
    Agent agent;
    agent.run(3000, 1);
    const auto json = agent.history.json(std::chrono::seconds(900));
    CHECK(json.at("time").size() == 900);
    CHECK(json.at("time").front() == kFirstMinute + 2101);
    CHECK(json.at("time").back() == kFirstMinute + 3000);
}

TEST_CASE("history: an outage has a beginning, a reason and an end") {
    Agent agent;
    auto& source = agent.snapshot.sources.front();
    source.name = "plant";
    source.connected = true;
    agent.run(5, 1);
    CHECK(agent.history.json(std::chrono::seconds(60)).at("outages").empty());
    source.connected = false;
    source.link.since = std::chrono::system_clock::time_point(std::chrono::seconds(kFirstMinute + 5));
    source.link.why = "refused";
    agent.run(5, 1);
    auto outage = agent.history.json(std::chrono::seconds(60)).at("outages").at(0);
    CHECK(outage.at("what") == "source plant");
    CHECK(outage.at("to").is_null());
    CHECK(outage.at("why") == "refused");
    source.connected = true;
    source.link.since = std::chrono::system_clock::time_point(std::chrono::seconds(kFirstMinute + 11));
    agent.run(5, 1);
    const auto outages = agent.history.json(std::chrono::seconds(60)).at("outages");
    REQUIRE(outages.size() == 1);
    CHECK(outages[0].at("from") == "2026-01-31T12:00:05.000Z");
    CHECK(outages[0].at("to") == "2026-01-31T12:00:11.000Z");
}

TEST_CASE("history: only the newest outages are kept") {
    Agent agent;
    auto& source = agent.snapshot.sources.front();
    for (int i = 0; i < 300; ++i) {
        source.connected = false;
        agent.run(1, 0);
        source.connected = true;
        agent.run(1, 0);
    }
    CHECK(agent.history.json(std::chrono::seconds(60)).at("outages").size() == History::kOutagesMax);
}
