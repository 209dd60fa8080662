// support_snapshot.hpp: an agent's state as tests of what is shown want it: something in every part.
#pragma once

#include "agent/snapshot.hpp"

namespace sluice::test {

inline agent::Snapshot busy_snapshot() {
    using namespace agent;
    Snapshot snapshot;
    snapshot.id = "gateway-17";
    snapshot.version = "1.2.3";
    snapshot.at = storage::Timestamp(std::chrono::milliseconds(1'769'860'800'000));  // 2026-01-31T12:00:00Z
    snapshot.process.started = snapshot.at - std::chrono::hours(49);
    snapshot.process.resident_bytes = 19U << 20U;
    snapshot.ingest = {1000, 990, 3, 2, 1};
    snapshot.listener.emplace();
    snapshot.listener->connections = 12;
    snapshot.listener->acknowledgement.counts[3] = 7;
    snapshot.listener->acknowledgement.sum_us = 6300;
    snapshot.sources.push_back({"plant", true, 2, {true, snapshot.at - std::chrono::hours(1), ""}});
    StreamSnapshot stream;
    stream.name = "telemetry";
    stream.topic = "plant-telemetry";
    stream.high_watermark = stream.log_end = storage::Offset(990);
    stream.bytes = 12'345'678;
    stream.segments = 3;
    stream.forwarding.emplace();
    stream.forwarding->stream = "telemetry";
    stream.forwarding->cursor = storage::Offset(700);
    stream.forwarding->backlog = 290;
    stream.forwarding->forwarded = 700;
    snapshot.streams.push_back(stream);
    StreamSnapshot local;
    local.name = "sluice.dead-letter";
    snapshot.streams.push_back(local);
    snapshot.forwarder.emplace();
    snapshot.forwarder->connected = false;
    snapshot.forwarder->link = {false, snapshot.at - std::chrono::minutes(5), "connection refused"};
    snapshot.forwarder->transactions_committed = 41;
    snapshot.brokers = "kafka-1:9092";
    snapshot.exactly_once = true;
    snapshot.rules = RulesSnapshot{990, 3, 12, 1, 0, 4, 1, {{"overheating", 1}, {"silence", 0}}};
    snapshot.commit.commits = 55;
    snapshot.given_up[0] = 17;
    snapshot.quota_used_bytes = 16U << 20U;
    snapshot.quota_bytes = 64U << 20U;
    snapshot.flash_bytes_today = 3'000'000;
    snapshot.flash_days_left = 2120;
    return snapshot;
}

}  // namespace sluice::test
