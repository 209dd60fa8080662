// rule_runner.hpp: the `rules` thread: reads the streams that have rules, evaluates, and appends alerts to `alerts` and
// what is derived to its streams.
//
// Each record below the high watermark is evaluated in order, and each change of an alert is one record, whatever is
// killed when (stream_rules.hpp, alert_record.hpp). The thread waits for nobody but the alerts' own log, and nobody
// waits for it: the cleaner does not spare what it hasn't read. What was deleted before it was evaluated is a gap, and
// told.
#pragma once

#include "agent/config.hpp"
#include "agent/rules/alert_book.hpp"
#include "agent/rules/rule_snapshot.hpp"
#include "agent/rules/stream_rules.hpp"
#include "bridge/report.hpp"
#include "storage/clock.hpp"
#include "storage/file_system.hpp"
#include "storage/group_commit.hpp"
#include "storage/log_dir.hpp"
#include "storage/log_reader.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace sluice::agent {

/// What of a stream the rules have not seen before it was deleted.
using RuleGap = std::function<void(const std::string& stream, storage::Offset first, storage::Offset next)>;
/// An alert that is durable: its record's key and value. Called on the log thread, and by start(); must not block.
using AlertNotice = std::function<void(const std::string& key, const std::string& value)>;

struct RuleRunnerParts {
    storage::FileSystem& files;
    const storage::Clock& clock;
    storage::LogDir& logs;
    storage::GroupCommit& commit;
    bridge::Report report;
    RuleGap on_gap;
    AlertNotice on_alert;
};

class RuleRunner {
 public:
    struct Status {
        std::uint64_t records = 0;   ///< evaluated since the start
        std::uint64_t alerts = 0;    ///< appended since the start
        std::uint64_t derived = 0;   ///< records, appended since the start
        std::uint64_t left_out = 0;  ///< records that nothing was derived from: no JSON
        std::uint64_t backlog = 0;   ///< records that are not evaluated yet
        std::uint64_t firing = 0;
        std::uint64_t devices = 0;
    };

    /// Finds out where the rules of each stream go on, and makes that durable. Before any source starts: what a rule
    /// that is new sees begins here. Ends the alerts of rules that aren't there any more.
    [[nodiscard]] static storage::Result<std::unique_ptr<RuleRunner>> open(const RulesConfig& config,
                                                                           const std::string& data_dir,
                                                                           RuleRunnerParts parts);
    ~RuleRunner();  ///< as a kill: no snapshot
    RuleRunner(const RuleRunner&) = delete;
    RuleRunner& operator=(const RuleRunner&) = delete;

    /// Starts the thread. Tells the newest alerts again that may not have been told before the last end.
    void start();
    /// Ends the thread, waits until `deadline` for the alerts to be durable, and takes a snapshot.
    void stop(std::chrono::steady_clock::time_point deadline);
    /// Thread-safe.
    [[nodiscard]] Status status() const;
    /// Thread-safe.
    [[nodiscard]] const AlertBook& book() const { return book_; }

 private:
    using SteadyTime = std::chrono::steady_clock::time_point;

    struct Stream {
        Stream(std::string of, storage::Log& in, std::unique_ptr<StreamRules> run)
            : name(std::move(of)), log(&in), rules(std::move(run)), reader(in, rules->next()) {}
        std::string name;
        storage::Log* log;
        std::unique_ptr<StreamRules> rules;
        storage::LogReader reader;
        storage::DecodedBatch memory;
        std::vector<models::rules::RuleSource> sources;
        std::shared_ptr<void> subscription;
        // Of the last snapshot.
        storage::Offset saved_next;
        std::uint64_t saved_bytes = 0;
        SteadyTime saved_at;
        std::uint64_t evicted_told = 0;
        std::uint64_t left_out_told = 0;
    };

    RuleRunner(const RulesConfig& config, std::string data_dir, RuleRunnerParts parts);
    [[nodiscard]] storage::Result<void> open_stream(const std::string& name,
                                                    const std::vector<models::rules::RuleSource>& sources);
    [[nodiscard]] storage::Result<void> end_removed_streams();
    [[nodiscard]] std::vector<storage::Log*> targets_of(const std::vector<models::rules::RuleSource>& rules) const;
    [[nodiscard]] storage::Result<std::unique_ptr<RuleSnapshot>> usable_snapshot(const std::string& name,
                                                                                 const storage::Log& log);
    [[nodiscard]] storage::Result<std::unique_ptr<StreamRules>> replayed_by_old_rules(RuleSnapshot& snapshot,
                                                                                      const std::string& name,
                                                                                      const storage::Log& log,
                                                                                      const AlertsSeen& seen);
    [[nodiscard]] storage::Result<AlertsSeen> read_seen(const RuleSnapshot* snapshot, const std::string& name,
                                                        const storage::Log& log,
                                                        const std::vector<models::rules::RuleSource>& sources);
    [[nodiscard]] storage::Result<void> read_book();
    void end_lost_alerts(const std::string& name, const storage::Log& log, std::int64_t next, const AlertsSeen& seen);
    void end_alerts(Stream& stream, const std::vector<models::Alert>& ended, const AlertsSeen& seen);

    void run();
    [[nodiscard]] bool step(Stream& stream);
    void tell_gap(Stream& stream);
    void wait();
    [[nodiscard]] StreamRules::Sink sink(const std::string& stream, const storage::Log& log);
    [[nodiscard]] StreamRules::OnDerived derived_sink(const std::string& stream, const storage::Log& log);
    void append(storage::Log& to, storage::Record record, std::atomic<std::uint64_t>& count, bool tells);
    void append_alert(storage::Record record) { append(alerts_, std::move(record), appended_, true); }
    void tell(const std::string& key, const std::string& value);
    [[nodiscard]] bool wait_until_durable(SteadyTime deadline);
    [[nodiscard]] bool snapshot_is_due(const Stream& stream) const;
    [[nodiscard]] storage::Result<void> take_snapshot(Stream& stream);
    void snapshot_or_say(Stream& stream);

    const std::size_t devices_max_;
    const std::string hash_key_;
    const std::string data_dir_;
    const RuleRunnerParts parts_;
    storage::Log& alerts_;
    AlertBook book_;
    std::vector<std::unique_ptr<Stream>> streams_;
    std::thread thread_;

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    bool woken_ = false;
    bool stopping_ = false;
    bool started_ = false;
    std::map<std::string, std::string> to_tell_;  // by key, what start() tells
    std::uint64_t outstanding_ = 0;               // records that are not durable yet
    bool failed_ = false;                         // one can't become durable: the log is closed

    std::atomic<std::uint64_t> records_{0};
    std::atomic<std::uint64_t> appended_{0};
    std::atomic<std::uint64_t> derived_{0};
    std::atomic<std::uint64_t> left_out_{0};
    std::atomic<std::uint64_t> backlog_{0};
    std::atomic<std::uint64_t> firing_{0};
    std::atomic<std::uint64_t> devices_{0};
};

}  // namespace sluice::agent
