// supervisor.hpp: builds the parts from a checked configuration, watches them, and stops them in order.
//
// Start: directory and lock, logs (recovered), catalog, group commit, QoS 2 state, rules, forwarder, sources. Each is
// there before the one that needs it. Stop is the reverse: what comes in ends first, then what is kept is committed and
// sent, for at most shutdown_timeout.
#pragma once

#include "agent/config.hpp"
#include "agent/events.hpp"
#include "agent/flash_life.hpp"
#include "agent/rules/rule_runner.hpp"
#include "bridge/kafka/forwarder.hpp"
#include "bridge/mqtt/ingest.hpp"
#include "bridge/mqtt/listener.hpp"
#include "bridge/mqtt/paho_source.hpp"
#include "bridge/mqtt/qos2_state.hpp"
#include "bridge/report.hpp"
#include "storage/catalog.hpp"
#include "storage/cleaner.hpp"
#include "storage/clock.hpp"
#include "storage/file_system.hpp"
#include "storage/group_commit.hpp"
#include "storage/log_dir.hpp"
#include "storage/result.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace sluice::agent {

struct AgentStatus {
    std::uint64_t received = 0;      ///< messages from all sources
    std::uint64_t accepted = 0;      ///< … that are durable
    std::uint64_t forwarded = 0;     ///< records that Kafka has acknowledged
    std::uint64_t backlog = 0;       ///< records not forwarded yet, of all streams
    bool sources_connected = false;  ///< all of them, and subscribed
    bool cluster_connected = false;
    RuleRunner::Status rules;
    std::optional<double> flash_days_left;  ///< nullopt: not known
};

class Supervisor {
 public:
    /// Starts the agent. Neither brokers nor the cluster have to be there.
    [[nodiscard]] static storage::Result<std::unique_ptr<Supervisor>> start(const Config& config,
                                                                            bridge::Report report);
    Supervisor(const Supervisor&) = delete;
    Supervisor& operator=(const Supervisor&) = delete;
    ~Supervisor();

    /// Reads again what may change while the agent runs: users, ACL, certificates. Says how that went.
    void reload();
    /// What is to be done now and then: events, retention, room on a full disk. Call it a few times a second.
    void tick();
    /// Whether a sync failed: nothing is accepted any more, and the process should end without stop().
    [[nodiscard]] bool failed() const { return failed_; }
    /// Whether another agent with our id has taken over the forwarding: this one should stop, in order.
    [[nodiscard]] bool fenced() const { return fenced_; }

    /// @param within  default: shutdown_timeout
    /// @return false where a part could not be stopped in time: the process can only be left with _Exit. Whatever was
    ///         acknowledged is safe all the same.
    [[nodiscard]] bool stop(std::optional<std::chrono::milliseconds> within = std::nullopt);

    /// Thread-safe.
    [[nodiscard]] AgentStatus status() const;

 private:
    Supervisor(const Config& config, bridge::Report report);

    [[nodiscard]] storage::Result<void> open_logs();
    [[nodiscard]] storage::Result<void> start_parts();
    [[nodiscard]] storage::Result<void> open_rules();
    void publish_alert(const std::string& key, const std::string& value);
    [[nodiscard]] storage::GroupCommit::Observer commit_observer();
    [[nodiscard]] storage::Cleaner::Observer cleaner_observer();

    const Config config_;
    const bridge::Report report_;
    storage::SystemClock clock_;
    storage::PosixFileSystem files_;
    Events events_;
    std::unique_ptr<storage::LogDir> logs_;
    std::unique_ptr<storage::Catalog> catalog_;
    std::optional<FlashWatch> flash_;
    std::atomic<bool> failed_{false};
    std::atomic<bool> fenced_{false};
    std::chrono::steady_clock::time_point next_checkpoint_{};
    // Threads run in these; they are stopped in stop(), the last first.
    std::unique_ptr<storage::GroupCommit> commit_;
    std::unique_ptr<storage::Cleaner> cleaner_;
    std::unique_ptr<bridge::mqtt::Qos2State> qos2_;
    std::unique_ptr<bridge::mqtt::Ingest> ingest_;
    std::unique_ptr<bridge::kafka::Forwarder> forwarder_;
    std::vector<std::unique_ptr<bridge::mqtt::PahoSource>> sources_;
    std::unique_ptr<bridge::mqtt::Listener> listener_;
    std::unique_ptr<RuleRunner> rules_;
};

}  // namespace sluice::agent
