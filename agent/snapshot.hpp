// snapshot.hpp: all that the agent knows of itself at one moment: what /metrics, /api/v1/status and `sluice status`
// show.
//
// Plain values, so that what is shown can be tested without an agent.
#pragma once

#include "agent/events.hpp"
#include "bridge/kafka/forwarder.hpp"
#include "bridge/mqtt/ingest.hpp"
#include "bridge/mqtt/listener.hpp"
#include "bridge/mqtt/paho_source.hpp"
#include "storage/cleaner.hpp"
#include "storage/duration_histogram.hpp"
#include "storage/group_commit.hpp"
#include "storage/types.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace sluice::agent {

struct StreamSnapshot {
    std::string name;
    std::optional<std::string> topic;  ///< nullopt: it stays here
    storage::Offset log_start;
    storage::Offset log_end;
    storage::Offset high_watermark;
    std::uint64_t bytes = 0;
    std::uint64_t segments = 0;
    bool blocked = false;                                   ///< it waits for space
    std::optional<bridge::kafka::StreamStatus> forwarding;  ///< nullopt: it is not forwarded
};

struct ProcessSnapshot {
    double cpu_seconds = 0;  ///< user and system, since the start
    std::uint64_t resident_bytes = 0;
    std::uint64_t open_fds = 0;
    std::uint64_t max_fds = 0;
    std::uint64_t threads = 0;
    storage::Timestamp started{};
};
/// Of this process, from /proc. What can't be read is 0.
[[nodiscard]] ProcessSnapshot read_process();

struct RulesSnapshot {
    std::uint64_t records = 0;  ///< evaluated since the start, as all that follows
    std::uint64_t alerts = 0;
    std::uint64_t derived = 0;
    std::uint64_t left_out = 0;
    std::uint64_t backlog = 0;  ///< records that are not evaluated yet
    std::uint64_t devices = 0;
    std::uint64_t firing = 0;
    std::map<std::string, std::uint64_t> firing_by_rule;  ///< of each rule
};

struct Snapshot {
    std::string id;
    std::string version;
    storage::Timestamp at{};
    bool failed = false;  ///< a sync failed
    bool fenced = false;
    bridge::mqtt::Ingest::Counters ingest;
    storage::DurationHistogram::Reading source_latency;
    std::optional<bridge::mqtt::Listener::Status> listener;
    std::vector<bridge::mqtt::SourceStatus> sources;
    std::vector<StreamSnapshot> streams;
    std::optional<bridge::kafka::ForwarderStatus> forwarder;
    std::optional<RulesSnapshot> rules;
    std::string brokers;  ///< of the cluster
    bool exactly_once = false;
    storage::GroupCommit::Counters commit;
    storage::DurationHistogram::Reading commit_latency;
    storage::Cleaner::Counters cleaner;
    std::array<std::uint64_t, kLossCauses> given_up{};
    std::uint64_t quota_used_bytes = 0;
    std::optional<std::uint64_t> quota_bytes;
    std::optional<std::uint64_t> flash_bytes_today;
    std::optional<double> flash_days_left;
    ProcessSnapshot process;  ///< who shows it reads it: read_process()

    [[nodiscard]] std::uint64_t received() const;
    [[nodiscard]] std::uint64_t accepted() const;
    [[nodiscard]] std::uint64_t forwarded() const;
    [[nodiscard]] std::uint64_t backlog() const;  ///< records of forwarded streams that Kafka doesn't have
};

}  // namespace sluice::agent
