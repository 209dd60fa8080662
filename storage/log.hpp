// log.hpp: one stream: an ordered set of segments, appended to by the log thread and read by anyone.
//
// Invariants
//   - offsets rise by one; a hole is a gap that was reported, or the cleaner's work.
//   - what is below high_watermark() is durable as the stream's durability says, and only that is readable.
//   - a failed sync closes the log for writing for as long as the process lives.
// Threads: append(), commit(), the delete functions and close() on the log thread; everything else on any thread.
#pragma once

#include "storage/clock.hpp"
#include "storage/file_system.hpp"
#include "storage/gap.hpp"
#include "storage/record_batch.hpp"
#include "storage/result.hpp"
#include "storage/segment.hpp"
#include "storage/types.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace sluice::storage {

enum class Durability : std::uint8_t {
    fsync,  ///< accepted = on the medium: survives the loss of power
    flush,  ///< accepted = in the page cache: survives the death of the process, not of the power
};

struct LogOptions {
    Durability durability = Durability::fsync;
    Compression compression = Compression::lz4;
    std::uint64_t segment_bytes = 16U << 20U;                        ///< a segment is rolled before it outgrows this
    std::chrono::milliseconds segment_age = std::chrono::hours(24);  ///< or when its first batch is older
    std::optional<std::chrono::milliseconds> retention;              ///< delete closed segments older than this …
    std::optional<std::uint64_t> retention_bytes;                    ///< … or the oldest beyond this size
    bool hold_until_forwarded = true;                                ///< … but only below the forwarder's cursor
};

/// Told of every gap, on the thread that finds it.
using GapReport = std::function<void(const Gap&)>;

class Log {
 public:
    /// Opens the log in `directory`, recovering its last segment, or creates it.
    [[nodiscard]] static Result<std::unique_ptr<Log>> open(FileSystem& files, const Clock& clock, std::string directory,
                                                           std::string name, LogOptions options, GapReport on_gap);
    Log(const Log&) = delete;
    Log& operator=(const Log&) = delete;

    [[nodiscard]] const std::string& name() const { return name_; }
    [[nodiscard]] const LogId& id() const { return id_; }
    [[nodiscard]] const LogOptions& options() const { return options_; }

    [[nodiscard]] Offset log_start_offset() const;
    /// The offset that the next record will get.
    [[nodiscard]] Offset log_end_offset() const { return Offset(end_.load(std::memory_order_acquire)); }
    /// The end of what is durable and readable.
    [[nodiscard]] Offset high_watermark() const { return Offset(high_watermark_.load(std::memory_order_acquire)); }
    [[nodiscard]] std::uint64_t size_bytes() const;

    /// Calls `wake` after each advance of the high watermark, on the log thread: it must only signal. The
    /// subscription ends with the returned object.
    [[nodiscard]] std::shared_ptr<void> subscribe(std::function<void()> wake);

    /// Appends `records` as one batch and returns the offset of the first. On return they are in the page cache;
    /// they are accepted once commit() has returned.
    /// @return Errc::no_space: nothing was written, try again. Errc::invalid: too large for a batch.
    ///         Errc::sync_failed: the log takes no more writes. Errc::io: likewise from now on.
    [[nodiscard]] Result<Offset> append(std::span<const Record> records);
    /// Syncs what was appended, as the durability asks, and advances the high watermark.
    /// @return Errc::sync_failed: the log is closed for writing; what was not committed may or may not be there.
    [[nodiscard]] Result<void> commit();

    /// Deletes closed segments that the retention doesn't keep, oldest first.
    /// @param finished  the forwarder's durable cursor; nullopt: nobody reads this log, so nobody is waited for
    [[nodiscard]] Result<void> delete_expired(std::optional<Offset> finished);
    /// Makes room: deletes every closed segment whose records are all below `finished`, whatever its age.
    [[nodiscard]] Result<void> delete_finished(Offset finished);
    /// A clean stop: commits, trims the active segment and writes its index. No append may follow.
    [[nodiscard]] Result<void> close();

 private:
    friend class LogReader;

    Log(FileSystem& files, const Clock& clock, std::string directory, std::string name, LogOptions options,
        GapReport on_gap);

    [[nodiscard]] Result<void> load_segments();
    [[nodiscard]] Result<void> create_anew();
    [[nodiscard]] bool should_roll(std::size_t batch_bytes) const;
    [[nodiscard]] Result<void> roll();
    [[nodiscard]] Result<void> delete_oldest(std::optional<Offset> finished, const char* reason);
    void fail_writing() { failed_ = true; }
    void report_damage(const Segment& segment, FilePosition position, Offset first, Offset next) const;

    /// The segment that holds `offset`, or the first one after it; the active one at the end.
    [[nodiscard]] std::shared_ptr<const Segment> segment_for(Offset offset) const;
    /// The segment after `segment`, or nullptr where that is the last.
    [[nodiscard]] std::shared_ptr<const Segment> segment_after(const Segment& segment) const;

    FileSystem& files_;
    const Clock& clock_;
    const std::string directory_;
    const std::string name_;
    const LogOptions options_;
    const GapReport on_gap_;
    LogId id_;

    std::atomic<std::int64_t> end_{0};
    std::atomic<std::int64_t> high_watermark_{0};
    bool failed_ = false;                    // log thread
    std::optional<Timestamp> active_since_;  // log thread: when the active segment got its first batch

    mutable std::mutex mutex_;                        // guards the two below
    std::vector<std::shared_ptr<Segment>> segments_;  // by base offset; never empty; the last is active
    mutable std::set<std::string> reported_damage_;
    std::mutex subscribers_mutex_;
    std::vector<std::weak_ptr<std::function<void()>>> subscribers_;
};

}  // namespace sluice::storage
