// segment.hpp: one file of record batches, the unit of rolling, retention and cleaning, as its readers know it.
//
// Why a file of its own: deleting a whole file is the only cheap way to give flash back.
// A segment costs a few hundred bytes: its file is open, and its indexes are in memory, only while someone uses them.
// Invariants
//   - batches are contiguous and offsets rise; only the cleaner leaves holes in the offsets.
//   - up to end_position() the file holds batches; the active one may be longer (preallocated).
//   - the indexes of a closed segment are complete, or missing, or they are refused.
// Thread-safe: one thread appends (segment_writer.hpp), any thread reads.
// Format: docs/log-format.md, section 3.
#pragma once

#include "storage/batch_scan.hpp"
#include "storage/clock.hpp"
#include "storage/file_system.hpp"
#include "storage/record_batch.hpp"
#include "storage/result.hpp"
#include "storage/segment_index.hpp"
#include "storage/types.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace sluice::storage {

inline constexpr std::string_view kLogSuffix = ".log";
inline constexpr std::string_view kIndexSuffix = ".index";
inline constexpr std::string_view kTimeIndexSuffix = ".timeindex";
inline constexpr std::string_view kKeyIndexSuffix = ".keyindex";

/// "00000000000000004711.log"
[[nodiscard]] std::string segment_file_name(Offset base_offset, std::string_view suffix);
/// The base offset in a name like the above, where it is one. Beyond kOffsetMax it is none: no segment of ours.
[[nodiscard]] std::optional<Offset> parse_segment_file_name(std::string_view name, std::string_view suffix);

struct OffsetRange {
    Offset base;
    Offset next;
};
/// "00000000000000004711-00000000000000004720.swap"
[[nodiscard]] std::string range_file_name(Offset base, Offset next, std::string_view suffix);
[[nodiscard]] std::optional<OffsetRange> parse_range_file_name(std::string_view name, std::string_view suffix);

/// Writes both indexes of a closed segment aside, and puts them in place. Durable but for the directory entries.
[[nodiscard]] Result<void> write_indexes(FileSystem& files, const std::string& directory, Offset base_offset,
                                         SegmentIndex& index);
/// Writes a file aside, syncs it, and renames it to `path`, replacing what was there.
[[nodiscard]] Result<void> write_aside_and_rename(FileSystem& files, const std::string& path,
                                                  std::span<const std::byte> bytes);
/// Removes all indexes; fine where there are none.
[[nodiscard]] Result<void> remove_indexes(FileSystem& files, const std::string& directory, Offset base_offset);
/// Reads them, as far as both are plausible for a segment of `segment_bytes`.
[[nodiscard]] Result<SegmentIndex> load_indexes(FileSystem& files, const std::string& directory, Offset base_offset,
                                                std::uint64_t segment_bytes);

/// Where a log is, and how its batches are marked.
struct StreamDirectory {
    std::string path;
    BatchMarks marks{};
};

class Segment {
 public:
    /// A closed segment that is on disk. @param next_base  the base offset of the one after it
    Segment(FileSystem& files, std::shared_ptr<const StreamDirectory> directory, Offset base_offset, Offset next_base,
            const FileStatus& status);
    /// The active one.
    Segment(FileSystem& files, std::shared_ptr<const StreamDirectory> directory, SegmentIndex index, Offset base_offset,
            FilePosition end, Timestamp modified);

    [[nodiscard]] Offset base_offset() const { return base_offset_; }
    [[nodiscard]] FilePosition end_position() const { return FilePosition(end_.load(std::memory_order_acquire)); }
    /// The offset at which the next segment starts; nullopt while this is the active one.
    [[nodiscard]] std::optional<Offset> next_base() const;
    /// When it was last appended to, by the gateway's clock.
    [[nodiscard]] Timestamp modified() const { return Timestamp(std::chrono::milliseconds(modified_ms_.load())); }
    /// Tells that it was appended to now, or that nobody knows when: from here on its age is measured, whatever becomes
    /// of the wall clock.
    void measure_age(const Clock& clock);
    /// Tells that an earlier process has left it: it is as old as its file says, but not younger than the time since
    /// this process found it, as that may lie in the future.
    void found(const Clock& clock);
    /// How long ago it was last appended to, as far as the two above tell.
    [[nodiscard]] std::chrono::milliseconds age(const Clock& clock) const;
    /// Where the age is measured, and the wall clock was set: writes to the file when that was by the clock as it is
    /// now, for the next process.
    [[nodiscard]] Result<void> correct_modified(const Clock& clock);
    /// Bytes of its index files, as far as count_indexes() knows.
    [[nodiscard]] std::uint64_t index_bytes() const { return index_bytes_; }
    /// Looks how large its index files are. @return how large they were
    std::uint64_t count_indexes() const;
    /// They are gone. @return how large they were
    std::uint64_t forget_indexes() const { return index_bytes_.exchange(0); }
    /// For one that takes the place of `replaced`.
    void take_age_of(const Segment& replaced);
    [[nodiscard]] const std::string& directory() const { return directory_->path; }
    [[nodiscard]] const BatchMarks& marks() const { return directory_->marks; }
    [[nodiscard]] std::string path(std::string_view suffix = kLogSuffix) const;
    /// Opens the file to read. @return Errc::not_found where the segment was deleted or replaced meanwhile.
    [[nodiscard]] Result<std::unique_ptr<File>> open() const;

    /// A position to scan from for `offset`: that of a batch not after the one that holds it.
    /// @param file  the segment's
    [[nodiscard]] Result<FilePosition> look_up(Offset offset, const File& file) const;
    /// An offset so that no record of the segment before it has a timestamp of at least `timestamp`; nullopt where no
    /// record has.
    [[nodiscard]] Result<std::optional<Offset>> look_up(Timestamp timestamp) const;
    /// Writes the indexes of a closed segment anew where they are missing or wrong, and its key index. Looks only once.
    /// @param pace  called after each batch that is read for it, with its size; false: be done soon
    /// @return Errc::closed: `pace` has ended it, and something may be left to do
    [[nodiscard]] Result<void> repair_indexes(const std::function<bool(std::size_t)>& pace = {});

 private:
    friend class SegmentWriter;
    static constexpr std::int64_t kNotMeasured = std::numeric_limits<std::int64_t>::min();

    [[nodiscard]] Result<bool> times_fit(const SegmentIndex& index, Timestamp timestamp, const File& file) const;
    [[nodiscard]] Result<bool> entry_fits(const SegmentIndex& index, const TimeIndex::Entry& entry,
                                          const File& file) const;
    [[nodiscard]] Result<bool> is_greatest(const SegmentIndex& index, const TimeIndex::Entry& entry,
                                           const File& file) const;
    [[nodiscard]] Result<SegmentIndex> build_index(const File& file, const OnBatch& on_batch = {}) const;

    FileSystem& files_;
    const std::shared_ptr<const StreamDirectory> directory_;  // shared by all segments of a log
    const Offset base_offset_;
    std::atomic<std::int64_t> next_base_;
    std::atomic<std::uint64_t> end_;
    std::atomic<std::int64_t> modified_ms_;
    std::atomic<std::int64_t> measured_from_ms_{kNotMeasured};  // Clock::steady(): it is no younger …
    std::atomic<bool> measured_{false};                         // … and no older
    std::atomic<bool> indexes_checked_{false};
    mutable std::atomic<bool> times_are_whole_{false};
    mutable std::atomic<std::uint64_t> index_bytes_{0};
    mutable std::mutex index_mutex_;
    std::unique_ptr<SegmentIndex> index_;  // of the active segment
};

}  // namespace sluice::storage
