// segment.hpp: one append-only file of record batches, the unit of rolling, retention and cleaning.
//
// Why a file of its own: deleting a whole file is the only cheap way to give flash back.
// Invariants
//   - batches are contiguous and offsets rise; only the cleaner leaves holes in the offsets.
//   - bytes after end_position() are zero (preallocated) until close(), which trims them.
//   - one thread appends; any thread reads below the log's high watermark.
// Format: docs/log-format.md, section 3.
#pragma once

#include "storage/batch_scan.hpp"
#include "storage/file_system.hpp"
#include "storage/offset_index.hpp"
#include "storage/record_batch.hpp"
#include "storage/result.hpp"
#include "storage/types.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace sluice::storage {

/// "00000000000000004711.log"
[[nodiscard]] std::string segment_file_name(Offset base_offset, std::string_view suffix);
/// The base offset in a name like the above, where it is one.
[[nodiscard]] std::optional<Offset> parse_segment_file_name(std::string_view name, std::string_view suffix);

inline constexpr std::string_view kLogSuffix = ".log";
inline constexpr std::string_view kIndexSuffix = ".index";

class Segment {
 public:
    /// A new, empty segment to append to. The directory is synced, so what is appended can be acknowledged.
    [[nodiscard]] static Result<std::shared_ptr<Segment>> create(FileSystem& files, const std::string& directory,
                                                                 Offset base_offset);
    /// The segment to append to, after recovery: trimmed to `scan.end`, and synced.
    [[nodiscard]] static Result<std::shared_ptr<Segment>> reopen(FileSystem& files, const std::string& directory,
                                                                 Offset base_offset, SegmentScan scan);
    /// A closed segment, read only. Its index is looked at when it is first needed.
    [[nodiscard]] static Result<std::shared_ptr<Segment>> open_closed(FileSystem& files, const std::string& directory,
                                                                      Offset base_offset);

    [[nodiscard]] Offset base_offset() const { return base_offset_; }
    [[nodiscard]] FilePosition end_position() const { return FilePosition(end_.load(std::memory_order_acquire)); }
    [[nodiscard]] const File& file() const { return *file_; }
    [[nodiscard]] const std::string& path() const { return path_; }

    /// Appends an encoded batch. On an error nothing is appended, and the file is as before.
    [[nodiscard]] Result<void> append(const BatchHeader& header, std::span<const std::byte> batch);
    [[nodiscard]] Result<void> sync() { return file_->sync_data(); }
    /// Trims the preallocated space, syncs, and writes the index.
    [[nodiscard]] Result<void> close();
    /// Gives the index's memory back, which would grow with the backlog; it is loaded again when it is needed. No
    /// append may follow.
    void drop_index();
    /// Removes the files. Readers that hold the segment can go on reading.
    [[nodiscard]] Result<void> remove();

    /// A position to scan from for `offset`: that of a batch not after the one that holds it. Thread-safe.
    [[nodiscard]] FilePosition look_up(Offset offset) const;

 private:
    Segment(FileSystem& files, std::string directory, Offset base_offset, std::unique_ptr<File> file);

    [[nodiscard]] OffsetIndex load_or_rebuild_index() const;
    void write_index();

    FileSystem& files_;
    std::string directory_;
    std::string path_;
    Offset base_offset_;
    std::unique_ptr<File> file_;
    std::atomic<std::uint64_t> end_{0};
    std::uint64_t allocated_ = 0;
    mutable std::mutex index_mutex_;
    mutable std::optional<OffsetIndex> index_;  // nullopt: a closed segment whose index was not needed yet
};

}  // namespace sluice::storage
