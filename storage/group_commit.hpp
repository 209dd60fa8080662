// group_commit.hpp: the `log` thread: many appends, one sync, then the acknowledgements.
//
// Producers hand over records from any thread; the log thread takes all that have gathered, writes one batch a
// stream, syncs, advances the high watermarks, and only then completes each append. While one sync runs the next
// batch gathers, so the batch size follows the load by itself (docs/architecture.md).
#pragma once

#include "storage/bounded_queue.hpp"
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
#include <span>
#include <thread>
#include <vector>

namespace sluice::storage {

struct GroupCommitOptions {
    std::chrono::milliseconds commit_interval{0};  ///< wait this long for company; 0: as soon as the last sync ended
    std::size_t commit_bytes = 1U << 20U;          ///< … but no longer once this much has gathered
    std::size_t queue_records_max = 65536;         ///< beyond these, append() blocks its caller
    std::size_t queue_bytes_max = 32U << 20U;
    std::chrono::milliseconds retry_interval{1000};  ///< how often a write that found no space is tried again
};

/// Called on the log thread, exactly once, after the record is accepted or refused. Must not block.
using Completion = std::function<void(Result<Offset>)>;

class GroupCommit {
 public:
    struct Counters {
        std::uint64_t records_appended = 0;  ///< accepted
        std::uint64_t bytes_appended = 0;    ///< record bytes, accepted
        std::uint64_t commits = 0;
        bool blocked_by_space = false;  ///< a write found no space and is being retried
        bool sync_failed = false;       ///< the log is closed for writing; the process should exit
    };
    /// What the owner must hear of; called on the log thread.
    struct Observer {
        std::function<void(const Error&)> on_no_space;     ///< once per episode: acknowledgements are on hold
        std::function<void()> on_space_again;              ///< and its end
        std::function<void(const Error&)> on_sync_failed;  ///< nothing is accepted any more
    };

    GroupCommit(GroupCommitOptions options, Observer observer);
    ~GroupCommit();  ///< as stop()
    GroupCommit(const GroupCommit&) = delete;
    GroupCommit& operator=(const GroupCommit&) = delete;

    /// Queues `record` for `log`; blocks while the queue is full. Records of one caller keep their order in a log.
    /// @param done  Errc::invalid: too large. Errc::closed: stopped. Errc::sync_failed: no more writes.
    void append(Log& log, Record record, Completion done);
    [[nodiscard]] std::future<Result<Offset>> append(Log& log, Record record);

    /// Runs `task` on the log thread between two commits.
    void post(std::function<void()> task);

    /// Commits what is queued, completes it, and ends the thread. Later appends complete with Errc::closed.
    void stop();

    [[nodiscard]] Counters counters() const;

 private:
    struct Pending {
        Log* log = nullptr;  // nullptr: nothing to append, only a wake-up
        Record record;
        Completion done;
    };
    struct Share;

    void run();
    void run_tasks();
    void commit(std::vector<Pending> taken);
    void write(Share& share);
    void sync(Share& share);
    void complete(Share& share);
    [[nodiscard]] Result<Offset> append_when_there_is_space(Log& log, std::span<const Record> records);
    void set_blocked(bool blocked, const Error& error);
    void fail(const Error& error);

    const GroupCommitOptions options_;
    const Observer observer_;
    BoundedQueue<Pending> queue_;
    std::atomic<bool> stopping_{false};
    mutable std::mutex mutex_;  // guards counters_, tasks_
    std::condition_variable wake_;
    Counters counters_;
    std::vector<std::function<void()>> tasks_;
    std::thread thread_;
};

}  // namespace sluice::storage
