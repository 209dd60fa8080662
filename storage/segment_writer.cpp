#include "storage/segment_writer.hpp"

#include "storage/recovery.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace sluice::storage {

namespace {

// Space is written ahead in steps that grow with the segment, so that a stream that is hardly used stays small, and a
// slow card is not busy with zeros for long.
constexpr std::uint64_t kAllocateBytesMin = 64U << 10U;
constexpr std::uint64_t kAllocateBytesMax = 256U << 10U;
// How much recovery has to scan at most, give or take a commit.
constexpr std::uint64_t kIndexEveryBytes = 1U << 20U;

Result<void> write_entries(FileSystem& files, const std::string& path, std::uint64_t at,
                           std::span<const std::byte> entries) {
    auto file = files.open(path, OpenMode::create);
    if (!file) return file.error();
    if (auto done = (*file)->truncate(at); !done) return done;
    if (entries.empty()) return {};
    return (*file)->write_at(FilePosition(at), entries);
}

Result<void> sync_file(FileSystem& files, const std::string& path) {
    auto file = files.open(path, OpenMode::read_write);
    if (!file) return file.error();
    return (*file)->sync_data();
}

}  // namespace

SegmentWriter::SegmentWriter(FileSystem& files, std::shared_ptr<Segment> segment, std::unique_ptr<File> file,
                             DiskBudget& budget)
    : files_(files), segment_(std::move(segment)), file_(std::move(file)), budget_(budget) {}

Result<std::unique_ptr<SegmentWriter>> SegmentWriter::create(FileSystem& files,
                                                             std::shared_ptr<const StreamDirectory> directory,
                                                             Offset base_offset, Timestamp now, DiskBudget& budget,
                                                             SpareSegment& spare) {
    // A roll that was cut short by a crash, or that found no space for its first batch, may have left these.
    if (auto done = remove_indexes(files, directory->path, base_offset); !done) return done.error();
    const auto path = directory->path + "/" + segment_file_name(base_offset, kLogSuffix);
    const auto allocated = spare.take(path);
    if (!allocated) return allocated.error();
    auto file = files.open(path, OpenMode::create);
    if (!file) return file.error();
    if (auto done = (*file)->truncate(*allocated); !done) return done.error();
    if (auto done = files.sync_directory(directory->path); !done) return done.error();
    auto segment = std::make_shared<Segment>(files, std::move(directory), SegmentIndex(base_offset), base_offset,
                                             FilePosition(0), now);
    std::unique_ptr<SegmentWriter> writer(new SegmentWriter(files, std::move(segment), std::move(*file), budget));
    writer->allocated_ = *allocated;
    return writer;
}

Result<std::unique_ptr<SegmentWriter>> SegmentWriter::reopen(FileSystem& files,
                                                             std::shared_ptr<const StreamDirectory> directory,
                                                             Offset base_offset, SegmentScan scan, DiskBudget& budget) {
    const auto path = directory->path + "/" + segment_file_name(base_offset, kLogSuffix);
    const auto status = files.status(path);
    if (!status) return status.error();
    auto file = files.open(path, OpenMode::read_write);
    if (!file) return file.error();
    if (status->size_bytes != scan.end.value()) {
        if (auto done = (*file)->truncate(scan.end.value()); !done) return done.error();
    }
    // What a killed process left in the page cache is about to be readable: it has to be durable first. A sync alone
    // would pass over what an earlier one has failed to write.
    const auto again = write_again(**file, scan.durable_to, scan.end);
    if (!again && again.error().kind() != Errc::no_space) return again.error();
    if (auto done = (*file)->set_modified(status->modified); !done) return done.error();
    // So does its name: the process may have ended between making the file and syncing the directory.
    if (auto done = files.sync_directory(directory->path); !done) return done.error();
    auto segment = std::make_shared<Segment>(files, std::move(directory), std::move(scan.index), base_offset, scan.end,
                                             status->modified);
    std::unique_ptr<SegmentWriter> writer(new SegmentWriter(files, std::move(segment), std::move(*file), budget));
    writer->allocated_ = scan.end.value();
    if (!again) writer->doubtful_from_ = scan.durable_to;
    budget.take_all_the_same(scan.end.value());
    if (again)
        writer->write_new_index_entries();  // from the first: what the files held beyond recovery's start is gone
    return writer;
}

Result<void> SegmentWriter::append(const BatchHeader& header, std::span<const std::byte> batch, Timestamp now) {
    if (auto done = write_doubtful_again(); !done) return done;
    const auto position = segment_->end_position();
    const auto new_end = position.value() + batch.size();
    if (new_end > allocated_) {
        const auto bytes = new_end - allocated_;
        if (header.record_count == 0) {
            budget_.take_all_the_same(bytes);  // a few, and without them a hole would look like a loss
        } else if (!budget_.take(bytes)) {
            return Error(Errc::no_space, "the quota is used up");
        }
        allocated_ = new_end;
    }
    if (auto done = file_->write_at(position, batch); !done) {
        // Part of the batch may be there; nothing after the end may look like data.
        if (auto trimmed = trim(position.value()); !trimmed) return trimmed;
        return done;
    }
    {
        const std::lock_guard lock(segment_->index_mutex_);
        segment_->index_->note(header, position);
    }
    segment_->modified_ms_ = now.time_since_epoch().count();
    segment_->end_.store(new_end, std::memory_order_release);
    if (new_end == allocated_) preallocate();
    return {};
}

Result<void> SegmentWriter::write_doubtful_again() {
    if (!doubtful_from_) return {};
    if (auto done = write_again(*file_, *doubtful_from_, segment_->end_position()); !done) return done;
    doubtful_from_.reset();
    write_new_index_entries();
    return {};
}

Result<void> SegmentWriter::trim(std::uint64_t to) {
    if (auto done = file_->truncate(to); !done) return done;
    budget_.give_back(allocated_ - to);
    allocated_ = to;
    return {};
}

void SegmentWriter::preallocate() {
    const auto end = segment_->end_position().value();
    const auto step = std::clamp(end, kAllocateBytesMin, kAllocateBytesMax);
    // Without it a sync writes some metadata too, and nothing else is worse: a full disk is no error here.
    if (!budget_.take(step)) return;
    if (file_->allocate(end + step)) {
        allocated_ = end + step;
    } else {
        budget_.give_back(step);
    }
}

Result<void> SegmentWriter::sync() {
    if (auto done = file_->sync_data(); !done) return done;
    if (bytes_since_index() >= kIndexEveryBytes) write_new_index_entries();
    return {};
}

void SegmentWriter::write_new_index_entries() {
    std::vector<std::byte> offsets;
    std::vector<std::byte> times;
    const auto offset_at = offset_entries_written_ * OffsetIndex::kEntryBytes;
    const auto time_at = time_entries_written_ * TimeIndex::kEntryBytes;
    {
        const std::lock_guard lock(segment_->index_mutex_);
        const auto& index = *segment_->index_;
        offsets = index.offsets.encode(offset_entries_written_);
        times = index.times.encode(time_entries_written_);
        offset_entries_written_ = index.offsets.entries().size();
        time_entries_written_ = index.times.size();
    }
    index_written_at_ = segment_->end_position().value();
    // The times first: recovery starts at an entry for an offset, and needs the times up to there.
    if (!write_entries(files_, segment_->path(kTimeIndexSuffix), time_at, times) ||
        !write_entries(files_, segment_->path(kIndexSuffix), offset_at, offsets)) {
        index_broken_ = true;
    }
}

Result<void> SegmentWriter::close(Offset next_base) {
    if (segment_->next_base()) return {};  // by a roll that found no space for the next segment
    if (auto done = write_doubtful_again(); !done) return done;
    if (auto done = trim(segment_->end_position().value()); !done) return done;
    if (auto done = file_->sync_data(); !done) return done;
    {
        const std::lock_guard lock(segment_->index_mutex_);
        segment_->index_->times.finish();
    }
    write_new_index_entries();
    // A failure is none of the log's: an index that is missing is made anew.
    const bool whole = !index_broken_ && sync_file(files_, segment_->path(kIndexSuffix)) &&
                       sync_file(files_, segment_->path(kTimeIndexSuffix));
    if (!whole) {
        if (auto done = remove_indexes(files_, segment_->directory(), segment_->base_offset()); !done) return done;
        // Else a power cut brings them back as they were: whole, and without the segment's last batches.
        if (auto done = files_.sync_directory(segment_->directory()); !done) return done;
    }
    segment_->next_base_.store(next_base.value(), std::memory_order_release);
    const std::lock_guard lock(segment_->index_mutex_);
    segment_->index_.reset();
    return {};
}

}  // namespace sluice::storage
