// group_commit.hpp: the `log` thread: many appends, one sync, then the acknowledgements.
//
// Producers encode their records, from any thread, into the batch that gathers for their log; the log thread takes all
// that have gathered, writes one batch a log, syncs, advances the high watermarks, and only then completes each append.
// While one sync runs the next batch gathers, so the batch size follows the load by itself (docs/architecture.md).
// A log that finds no space keeps its batch and waits; the others go on.
#pragma once

#include "storage/batch_builder.hpp"
#include "storage/duration_histogram.hpp"
#include "storage/log.hpp"
#include "storage/record.hpp"
#include "storage/result.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace sluice::storage {

struct GroupCommitOptions {
    std::chrono::milliseconds commit_interval{0};  ///< wait this long for company; 0: as soon as the last sync ended
    std::size_t commit_bytes = 1U << 20U;          ///< … but no longer once a log has gathered this much
    std::size_t queue_records_max = 65536;         ///< beyond these in a log, append() blocks its caller
    std::size_t queue_bytes_max = 8U << 20U;
    std::chrono::milliseconds retry_interval{1000};  ///< how often a write that found no space is tried again
};

/// Called on the log thread, exactly once, after the record is accepted or refused. Must not block. A callable of at
/// most two pointers is kept without an allocation.
using Completion = std::function<void(Result<Offset>)>;

class GroupCommit {
 public:
    struct Counters {
        std::uint64_t records_appended = 0;  ///< accepted
        std::uint64_t bytes_appended = 0;    ///< record bytes, accepted
        std::uint64_t records_dropped = 0;   ///< acknowledged and given up: on_full = "drop_newest"
        std::uint64_t commits = 0;
        bool blocked_by_space = false;  ///< a write found no space and is being retried
        bool sync_failed = false;       ///< the log is closed for writing; the process should exit
    };
    /// What the owner must hear of; called on the log thread.
    struct Observer {
        /// Acknowledgements for this log are on hold. Called at each attempt; `again`: not the first of an episode.
        std::function<void(const Log&, const Error&, bool again)> on_no_space;
        std::function<void(const Log&)> on_space_again;    ///< and its end
        std::function<void(const Error&)> on_sync_failed;  ///< nothing is accepted any more
    };

    GroupCommit(GroupCommitOptions options, Observer observer);
    ~GroupCommit();  ///< as stop()
    GroupCommit(const GroupCommit&) = delete;
    GroupCommit& operator=(const GroupCommit&) = delete;

    /// Takes `record` for `log`; blocks while too much is queued for it. Records of one caller keep their order in a
    /// log.
    /// @param done  Errc::invalid: too large. Errc::closed: stopped. Errc::sync_failed: no more writes.
    void append(Log& log, const Record& record, Completion done);
    void append(Log& log, const RecordView& record, Completion done);
    [[nodiscard]] std::future<Result<Offset>> append(Log& log, const Record& record);

    /// For a thread that must not block: takes the record whatever is queued. The caller keeps to has_room(), or to a
    /// bound of its own.
    void append_without_wait(Log& log, const Record& record, Completion done);
    /// Whether append() would take a small record for `log` at once.
    [[nodiscard]] bool has_room(Log& log);
    /// Whether what was appended to `log` has found no space, and is tried again and again.
    [[nodiscard]] bool waits_for_space(Log& log);

    /// Whether all that was appended to `log` is completed: what comes to be read later was appended later.
    [[nodiscard]] bool is_idle(Log& log);

    /// Runs `task` on the log thread between two commits.
    void post(std::function<void()> task);
    /// There may be space again: writes that found none are tried at once.
    void retry();

    /// Commits what is queued, completes it, and ends the thread. Later appends complete with Errc::closed.
    void stop();

    [[nodiscard]] Counters counters() const;
    /// Of each commit of a log: from when its records were taken from the queue until they were durable.
    [[nodiscard]] const DurationHistogram& commit_latency() const { return commit_latency_; }

 private:
    using SteadyTime = std::chrono::steady_clock::time_point;

    /// Records of one log that become one batch.
    struct Gathered {
        BatchBuilder batch;
        std::vector<Completion> completions;
        void clear();
    };
    /// What one log has in the queue, in order.
    struct Lane {
        explicit Lane(Log& of) : log(&of) {}
        Log* log;
        std::vector<std::unique_ptr<Gathered>> waiting;  // the last one still grows
        std::size_t bytes = 0;
        std::size_t records = 0;
        std::size_t unfinished = 0;  // appended, and not completed
        // Of the log thread.
        std::vector<std::unique_ptr<Gathered>> taken;  // to be written
        std::vector<Offset> first_offsets;             // … of those that were, in this commit
        bool no_space = false;
        SteadyTime retry_at{};     // … and when to try again
        std::int64_t dropped = 0;  // on_full = "drop_newest": since it was last reported
        SteadyTime report_at{};    // … and when to report again
    };

    enum class WhenFull : std::uint8_t { wait, take_it };
    template <class R>
    void take_in(Log& log, const R& record, std::size_t bytes, Completion done, WhenFull when_full);
    [[nodiscard]] bool has_room(const Lane& lane, std::size_t bytes) const;
    [[nodiscard]] Lane& lane_of(Log& log);
    [[nodiscard]] std::unique_ptr<Gathered> fresh();
    [[nodiscard]] bool has_work() const;
    void run();
    void wait_for_work(std::unique_lock<std::mutex>& lock);
    void run_tasks(std::unique_lock<std::mutex>& lock);
    void take(Lane& lane);
    void write(Lane& lane);
    void drop(Lane& lane);
    void report_dropped(Lane& lane);
    void sync_and_complete(Lane& lane);
    void complete(Gathered& gathered, const Result<Offset>& first);
    void refuse_all(Lane& lane, const Error& error);
    void set_no_space(Lane& lane, const std::optional<Error>& error);
    void fail(const Error& error);
    void recycle(std::unique_ptr<Gathered> gathered);

    const GroupCommitOptions options_;
    const Observer observer_;
    mutable std::mutex mutex_;
    std::condition_variable work_;  // for the log thread
    std::condition_variable room_;  // for producers
    std::vector<std::unique_ptr<Lane>> lanes_;
    std::vector<std::unique_ptr<Gathered>> spare_;
    std::vector<std::function<void()>> tasks_;
    Counters counters_;
    DurationHistogram commit_latency_;
    SteadyTime commit_began_{};  // of the log thread
    bool full_ = false;          // some lane has gathered commit_bytes: no more waiting for company
    bool idle_ = false;          // the log thread waits for work
    bool lingering_ = false;     // … or for company
    bool retry_ = false;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace sluice::storage
