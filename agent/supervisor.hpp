// supervisor.hpp: builds the parts from a checked configuration, watches them, and stops them in order.
//
// Start: directory and lock, logs (recovered), catalog, group commit, QoS 2 state, rules, forwarder, sources. Each is
// there before the one that needs it. Stop is the reverse: what comes in ends first, then what is kept is committed and
// sent, for at most shutdown_timeout.
#pragma once

#include "agent/backlog_line.hpp"
#include "agent/config.hpp"
#include "agent/device_book.hpp"
#include "agent/events.hpp"
#include "agent/flash_life.hpp"
#include "agent/rules/rule_runner.hpp"
#include "agent/snapshot.hpp"
#include "agent/uplink_files.hpp"
#include "bridge/device_registry.hpp"
#include "bridge/kafka/forwarder.hpp"
#include "bridge/mqtt/ingest.hpp"
#include "bridge/mqtt/listener.hpp"
#include "bridge/mqtt/paho_source.hpp"
#include "bridge/mqtt/qos2_state.hpp"
#include "bridge/report.hpp"
#include "storage/catalog.hpp"
#include "storage/cleaner.hpp"
#include "storage/clock.hpp"
#include "storage/delivery_ledger.hpp"
#include "storage/file_system.hpp"
#include "storage/group_commit.hpp"
#include "storage/log_dir.hpp"
#include "storage/result.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace sluice::agent {

struct AgentStatus {
    std::uint64_t received = 0;         ///< messages from all sources
    std::uint64_t accepted = 0;         ///< … that are durable
    std::uint64_t forwarded = 0;        ///< records that Kafka has acknowledged
    std::uint64_t backlog = 0;          ///< records not forwarded yet, of all streams
    bridge::kafka::BacklogRates rates;  ///< of all streams that are forwarded
    /// All that is known of the way to Kafka, stream by stream; nullopt: nothing is forwarded.
    std::optional<bridge::kafka::ForwarderStatus> forwarding;
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

    /// Takes over what may change while the agent runs: users, ACL, certificates and limits of the listener, and the
    /// routes where `routes` says so. With an error, all stays as it was. Thread-safe, until stop().
    /// @param fresh  its routes name only streams of has_stream()
    [[nodiscard]] storage::Result<void> reload(const Config& fresh, bool routes);
    [[nodiscard]] bool has_stream(const std::string& name) const { return logs_->find(name) != nullptr; }
    /// For readers, until stop(). nullptr: there is none
    [[nodiscard]] const storage::Log* find_log(const std::string& stream) const { return logs_->find(stream); }
    /// Runs `task` on the log thread, if that is alive. Thread-safe, until stop().
    void post_to_log(std::function<void()> task) { commit_->post(std::move(task)); }
    /// When the forward thread last came round; nullopt: there is none.
    [[nodiscard]] std::optional<std::chrono::steady_clock::time_point> last_forward_turn() const;
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

    /// Nothing is sent to Kafka until resume_uplink(), over restarts too; all is kept. Thread-safe, until stop().
    /// @param why  for people; may be empty
    /// @return Errc::not_found: nothing is forwarded; or the catalog's error: nothing has changed
    [[nodiscard]] storage::Result<void> pause_uplink(const std::string& why);
    [[nodiscard]] storage::Result<void> resume_uplink();

    /// Thread-safe.
    [[nodiscard]] AgentStatus status() const;
    /// Thread-safe, until stop().
    [[nodiscard]] Snapshot snapshot() const;
    /// Thread-safe.
    [[nodiscard]] std::vector<bridge::Device> devices() const { return devices_.list(); }
    /// As AlertBook::json().
    [[nodiscard]] nlohmann::ordered_json alerts() const;

 private:
    Supervisor(const Config& config, bridge::Report report);

    [[nodiscard]] storage::Result<void> open_logs();
    [[nodiscard]] storage::Result<void> start_parts();
    [[nodiscard]] storage::Result<void> start_forwarder();
    void renew_uplink();
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
    bridge::DeviceRegistry devices_;
    std::optional<DeviceBook> device_book_;
    std::atomic<bool> failed_{false};
    std::atomic<bool> fenced_{false};
    std::atomic<bool> renewal_asked_{false};  // of the uplink's certificates and keys
    std::chrono::steady_clock::time_point next_checkpoint_{};
    BacklogLine backlog_line_;
    // Threads run in these; they are stopped in stop(), the last first.
    std::unique_ptr<storage::GroupCommit> commit_;
    std::unique_ptr<storage::Cleaner> cleaner_;
    std::unique_ptr<bridge::mqtt::Qos2State> qos2_;
    std::unique_ptr<bridge::mqtt::Ingest> ingest_;
    std::optional<UplinkFiles> uplink_files_;
    std::unique_ptr<storage::DeliveryLedger> proofs_;  // of the forward thread
    std::unique_ptr<bridge::kafka::Forwarder> forwarder_;
    std::vector<std::unique_ptr<bridge::mqtt::PahoSource>> sources_;
    std::unique_ptr<bridge::mqtt::Listener> listener_;
    std::unique_ptr<RuleRunner> rules_;
};

}  // namespace sluice::agent
