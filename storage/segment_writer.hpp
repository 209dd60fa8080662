// segment_writer.hpp: appends to the active segment. On the log thread only.
//
// Invariants
//   - bytes after the end are no batch of this segment, until close() trims them: zeros that were written ahead, or
//   what
//     a deleted segment has left in the file (spare_segment.hpp), whose offsets are lower.
//   - the index files hold nothing of what has not been synced, so that recovery can start at their end.
#pragma once

#include "storage/disk_budget.hpp"
#include "storage/file_system.hpp"
#include "storage/record_batch.hpp"
#include "storage/result.hpp"
#include "storage/segment.hpp"
#include "storage/spare_segment.hpp"
#include "storage/types.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

namespace sluice::storage {

class SegmentWriter {
 public:
    /// A new, empty segment, in the file of the spare one where there is one. The directory is synced, so what is
    /// appended can be acknowledged.
    [[nodiscard]] static Result<std::unique_ptr<SegmentWriter>> create(FileSystem& files,
                                                                       std::shared_ptr<const StreamDirectory> directory,
                                                                       Offset base_offset, Timestamp now,
                                                                       DiskBudget& budget, SpareSegment& spare);
    /// Goes on with the last segment after recovery: trimmed to where `scan` ends, and synced. Where the disk has no
    /// room to write its end again (a file system that never writes in place), that comes before the next append.
    [[nodiscard]] static Result<std::unique_ptr<SegmentWriter>> reopen(FileSystem& files,
                                                                       std::shared_ptr<const StreamDirectory> directory,
                                                                       Offset base_offset, SegmentScan scan,
                                                                       DiskBudget& budget);

    [[nodiscard]] const std::shared_ptr<Segment>& segment() const { return segment_; }

    /// Appends a finished batch. On an error nothing is appended, and the file is as before.
    /// @return Errc::no_space where the disk or the budget is used up
    [[nodiscard]] Result<void> append(const BatchHeader& header, std::span<const std::byte> batch, Timestamp now);
    /// Returns once everything appended is on the medium.
    [[nodiscard]] Result<void> sync();
    /// Whether all that reopen() has found is on the medium.
    [[nodiscard]] bool is_durable() const { return !doubtful_from_; }
    /// What recovery would have to read now.
    [[nodiscard]] std::uint64_t bytes_since_index() const {
        return segment_->end_position().value() - index_written_at_;
    }
    /// Trims the preallocated space, syncs, and completes the indexes. No append may follow.
    /// @param next_base  where the next segment will start
    [[nodiscard]] Result<void> close(Offset next_base);

 private:
    SegmentWriter(FileSystem& files, std::shared_ptr<Segment> segment, std::unique_ptr<File> file, DiskBudget& budget);

    [[nodiscard]] Result<void> trim(std::uint64_t to);
    [[nodiscard]] Result<void> write_doubtful_again();
    void preallocate();
    void write_new_index_entries();

    FileSystem& files_;
    std::shared_ptr<Segment> segment_;
    std::unique_ptr<File> file_;
    DiskBudget& budget_;
    std::uint64_t allocated_ = 0;                // the length of the file, which is what it takes of the budget
    std::optional<FilePosition> doubtful_from_;  // from here on the page cache may have what the medium has not
    std::uint64_t index_written_at_ = 0;         // the end of the segment when index entries were last written
    std::size_t offset_entries_written_ = 0;
    std::size_t time_entries_written_ = 0;
    bool index_broken_ = false;  // its file could not be written: it is removed, and made anew later
};

}  // namespace sluice::storage
