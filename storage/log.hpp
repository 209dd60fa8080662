// log.hpp: one stream: an ordered set of segments, appended to by the log thread and read by anyone.
//
// Invariants
//   - offsets rise by one; a batch stands for each, an empty one where the record was given up, cleaned away, or
//     forwarded from memory: a hole is a loss (gapless_from.hpp).
//   - what is below high_watermark() is durable as the stream's durability says, and only that is readable.
//   - a failed sync closes the log for writing for as long as the process lives.
// Threads: append(), commit(), roll(), spill() and close() on the log thread; everything else on any thread.
#pragma once

#include "storage/batch_builder.hpp"
#include "storage/clock.hpp"
#include "storage/disk_budget.hpp"
#include "storage/file_system.hpp"
#include "storage/gap.hpp"
#include "storage/log_options.hpp"
#include "storage/offset_reserve.hpp"
#include "storage/recovery_point.hpp"
#include "storage/result.hpp"
#include "storage/segment_set.hpp"
#include "storage/segment_writer.hpp"
#include "storage/spare_segment.hpp"
#include "storage/tail_cache.hpp"
#include "storage/types.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace sluice::storage {

/// Told of every gap, on the thread that finds it.
using GapReport = std::function<void(const Gap&)>;
/// What the forwarder has finished of a log, durably.
struct Finished {
    Offset cursor;  ///< all before it
    Offset end;     ///< … and some up to here: no less than the cursor
};
/// … of the log of this id, where it is forwarded.
using FinishedOf = std::function<Result<std::optional<Finished>>(const LogId&)>;

/// What all logs of a data directory share. Outlives them.
struct LogContext {
    FileSystem& files;
    const Clock& clock;
    DiskBudget& budget;
    GapReport on_gap;
    const FileLock* lock = nullptr;  ///< held for as long as the logs are written to; nullptr: there is no such lock
};

class Log {
 public:
    /// Opens the log in `directory`, recovering its last segment, or creates it.
    [[nodiscard]] static Result<std::unique_ptr<Log>> open(const LogContext& context, std::string directory,
                                                           std::string name, LogOptions options,
                                                           const FinishedOf& finished_of = {});
    ~Log();
    Log(const Log&) = delete;
    Log& operator=(const Log&) = delete;

    [[nodiscard]] const std::string& name() const { return name_; }
    [[nodiscard]] const std::string& directory() const { return directory_->path; }
    [[nodiscard]] const LogId& id() const { return marks().id(); }
    [[nodiscard]] const BatchMarks& marks() const { return directory_->marks; }
    [[nodiscard]] const LogOptions& options() const { return options_; }

    [[nodiscard]] Offset log_start_offset() const { return segments_.start_offset(); }
    /// The offset that the next record will get.
    [[nodiscard]] Offset log_end_offset() const { return Offset(end_.load(std::memory_order_acquire)); }
    /// The end of what is durable and readable.
    [[nodiscard]] Offset high_watermark() const { return Offset(high_watermark_.load(std::memory_order_acquire)); }
    [[nodiscard]] std::uint64_t size_bytes() const { return segments_.size_bytes(); }
    /// Bytes of batches before compression that were appended since it was opened.
    [[nodiscard]] std::uint64_t appended_bytes() const { return appended_bytes_.load(std::memory_order_relaxed); }
    /// For readers, and for the cleaner, which replaces closed ones.
    [[nodiscard]] const SegmentSet& segments() const { return segments_; }
    [[nodiscard]] SegmentSet& segments() { return segments_; }
    [[nodiscard]] const TailCache& tail() const { return tail_; }
    /// A new log on a full disk: nothing of it is there, and the first append that finds room makes it. On the log
    /// thread.
    [[nodiscard]] bool waits_to_begin() const { return writer_ == nullptr; }

    /// The forwarder's durable cursor: below it nothing is needed any more. nullopt: nobody forwards this stream.
    [[nodiscard]] std::optional<Offset> finished() const;
    void set_finished(Offset cursor) { finished_.store(cursor.value(), std::memory_order_release); }

    /// The cleaner leaves records at and after this alone: what travels in their headers may still be needed. Without a
    /// call of hold_from(first) nothing is held; later calls only move it forward.
    [[nodiscard]] Offset hold_from() const { return Offset(hold_from_.load(std::memory_order_acquire)); }
    void hold_from(Offset first);

    /// The first record whose timestamp is at least `timestamp`; the high watermark where there is none.
    [[nodiscard]] Result<Offset> offset_for(Timestamp timestamp) const;

    /// Calls `wake` after each advance of the high watermark, on the log thread: it must only signal. The
    /// subscription ends with the returned object.
    [[nodiscard]] std::shared_ptr<void> subscribe(std::function<void()> wake);

    /// Appends the records of `batch` and returns the offset of the first. They are accepted once commit() has
    /// returned.
    /// @return Errc::no_space: nothing was written, try again. Errc::invalid: too large for a batch.
    ///         Errc::sync_failed: the log takes no more writes. Errc::io: likewise from now on.
    [[nodiscard]] Result<Offset> append(BatchBuilder& batch);
    /// Syncs what was appended, as the durability asks, and advances the high watermark.
    /// @return Errc::sync_failed: the log is closed for writing; what was not committed may or may not be there.
    [[nodiscard]] Result<void> commit();
    /// Closes the active segment, unless it is empty, and starts a new one. After commit().
    [[nodiscard]] Result<void> roll();
    /// Durability "memory": writes out what has waited for the forwarder too long. Nothing else for other logs.
    [[nodiscard]] Result<void> spill_if_due();
    /// A clean stop: commits, writes out what is in memory, trims the active segment and writes its indexes. No append
    /// may follow.
    [[nodiscard]] Result<void> close();

    /// For the cleaner: what it may work on, which is what no commit is about to change or to accept.
    [[nodiscard]] SegmentSet::Segments cleanable() const;
    /// For the cleaner: removes the files of a segment that is no longer in segments(), or keeps them for the next one.
    [[nodiscard]] Result<void> remove_files(const Segment& segment);
    /// For the cleaner, to make room: lets the spare file go. @return whether there was one
    [[nodiscard]] Result<bool> drop_spare() { return spare_.drop(); }
    /// For the cleaner: the index files of a closed segment count to the budget as they are now.
    void count_indexes(const Segment& segment) const;
    /// For the cleaner: the closed segments from `base` up to `next` have become one file.
    void replace_segments(Offset base, Offset next, const FileStatus& status, std::uint64_t old_bytes);
    /// Reports damaged bytes that a reader has found, once.
    void report_damage(const Segment& segment, FilePosition position, Offset first, Offset next) const;
    /// Reports, once, that no batch stands for these offsets, unless an older version may have left them out.
    void report_hole(Offset first, Offset next) const;
    /// As report_hole(), for a hole that is about to be covered.
    [[nodiscard]] Result<void> give_up_hole(Offset first, Offset next) const;
    void report_gap(const Gap& gap) const;
    /// Notes (gap_note.hpp) and reports what is about to be given up. On a full disk it is only reported.
    [[nodiscard]] Result<void> give_up(Gap gap) const;

 private:
    Log(const LogContext& context, std::string directory, std::string name, LogOptions options);

    [[nodiscard]] std::optional<Gap> new_hole(Offset first, Offset next) const;
    void tell_noted(const std::string& name) const;
    void report_lost(Offset first, Offset next, std::string reason) const;
    [[nodiscard]] Result<void> load(const FinishedOf& finished_of);
    [[nodiscard]] bool has_segments() const;
    void wait_to_begin();
    [[nodiscard]] Result<void> begin();
    /// Whether this process may write: another one may have the directory, where somebody removed the lock's file.
    [[nodiscard]] Result<void> check_lock();
    [[nodiscard]] Result<void> load_id(bool has_segments);
    [[nodiscard]] Result<void> tell_lost_id(bool has_segments, const std::optional<BatchMarks>& marks,
                                            const Result<std::optional<Offset>>& reserved) const;
    [[nodiscard]] Result<void> skip_forwarded(const Finished& forwarded);
    [[nodiscard]] Result<void> load_segments(const std::vector<Offset>& bases, Offset forwarded_end);
    [[nodiscard]] Result<void> load_gapless(bool is_new);
    [[nodiscard]] Result<void> mark_from_here();
    [[nodiscard]] std::chrono::milliseconds appended_since() const;
    [[nodiscard]] Result<void> skip_lost_memory();
    [[nodiscard]] bool should_roll(const BatchHeader& next) const;
    [[nodiscard]] Result<void> roll_to(Offset next_base);
    [[nodiscard]] Result<void> fill_up_to(Offset next);
    [[nodiscard]] Result<void> skip_to(Offset next);
    [[nodiscard]] Result<void> store_point(const RecoveryPoint& point);
    [[nodiscard]] Result<void> move_point(const RecoveryPoint& point);
    [[nodiscard]] Result<void> cover(Offset end);
    [[nodiscard]] Result<void> write(const EncodedBatch& batch);
    [[nodiscard]] Result<void> spill();
    /// What an error of the disk does to the log, unless the disk is only full.
    [[nodiscard]] Result<void> failing(Result<void> result);

    const LogContext context_;
    const std::shared_ptr<StreamDirectory> directory_;  // changed only while the log is opened
    const std::string name_;
    const LogOptions options_;
    Offset gapless_from_;  // as gapless_from.hpp says

    std::atomic<std::int64_t> end_{0};
    std::atomic<std::int64_t> high_watermark_{0};
    std::atomic<std::uint64_t> appended_bytes_{0};
    std::atomic<std::int64_t> finished_;
    std::atomic<std::int64_t> hold_from_{std::numeric_limits<std::int64_t>::max()};
    SegmentSet segments_;
    SpareSegment spare_;
    TailCache tail_;

    // Of the log thread.
    std::unique_ptr<SegmentWriter> writer_;
    Offset written_end_;  // batches in segments stand for the offsets below it
    bool failed_ = false;
    // By Clock::steady(): the wall clock may be set meanwhile.
    std::optional<std::chrono::milliseconds> active_since_;  // when the active segment got its first batch
    RecoveryPoint point_;                                    // as it is stored
    OffsetReserve reserve_;
    std::optional<std::chrono::milliseconds> unwritten_since_;  // durability "memory"
    std::vector<std::byte> packed_;

    mutable std::mutex reported_mutex_;
    mutable std::set<std::string> reported_damage_;
    std::mutex subscribers_mutex_;
    std::vector<std::weak_ptr<std::function<void()>>> subscribers_;
};

}  // namespace sluice::storage
