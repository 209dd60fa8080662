#include "storage/segment.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <utility>

namespace sluice::storage {

namespace {

// Space is reserved in steps, so that a sync writes data and no file size, and a stream that is hardly used stays
// small.
constexpr std::uint64_t kAllocateBytes = 1U << 20U;
constexpr std::size_t kOffsetDigits = 20;

}  // namespace

std::string segment_file_name(Offset base_offset, std::string_view suffix) {
    std::string digits = std::to_string(base_offset.value());
    digits.insert(0, kOffsetDigits - digits.size(), '0');
    return digits.append(suffix);
}

std::optional<Offset> parse_segment_file_name(std::string_view name, std::string_view suffix) {
    if (name.size() != kOffsetDigits + suffix.size() || !name.ends_with(suffix)) return std::nullopt;
    std::int64_t value = 0;
    const auto* end = name.data() + kOffsetDigits;
    const auto parsed = std::from_chars(name.data(), end, value);
    if (parsed.ec != std::errc() || parsed.ptr != end || value < 0) return std::nullopt;
    return Offset(value);
}

Segment::Segment(FileSystem& files, std::string directory, Offset base_offset, std::unique_ptr<File> file)
    : files_(files),
      directory_(std::move(directory)),
      path_(directory_ + "/" + segment_file_name(base_offset, kLogSuffix)),
      base_offset_(base_offset),
      file_(std::move(file)) {}

Result<std::shared_ptr<Segment>> Segment::create(FileSystem& files, const std::string& directory, Offset base_offset) {
    auto file = files.open(directory + "/" + segment_file_name(base_offset, kLogSuffix), OpenMode::create);
    if (!file) return file.error();
    // The file may be there: a roll that was cut short by a crash, or that found no space for its first batch.
    if (auto done = (*file)->truncate(0); !done) return done.error();
    if (auto done = files.sync_directory(directory); !done) return done.error();
    std::shared_ptr<Segment> segment(new Segment(files, directory, base_offset, std::move(*file)));
    segment->index_.emplace(base_offset);
    return segment;
}

Result<std::shared_ptr<Segment>> Segment::reopen(FileSystem& files, const std::string& directory, Offset base_offset,
                                                 SegmentScan scan) {
    auto file = files.open(directory + "/" + segment_file_name(base_offset, kLogSuffix), OpenMode::read_write);
    if (!file) return file.error();
    if (auto done = (*file)->truncate(scan.end.value()); !done) return done.error();
    // What a killed process left in the page cache is about to be readable: it has to be durable first.
    if (auto done = (*file)->sync_data(); !done) return done.error();
    std::shared_ptr<Segment> segment(new Segment(files, directory, base_offset, std::move(*file)));
    segment->end_ = segment->allocated_ = scan.end.value();
    segment->index_ = std::move(scan.index);
    return segment;
}

Result<std::shared_ptr<Segment>> Segment::open_closed(FileSystem& files, const std::string& directory,
                                                      Offset base_offset) {
    auto file = files.open(directory + "/" + segment_file_name(base_offset, kLogSuffix), OpenMode::read);
    if (!file) return file.error();
    const auto size = (*file)->size();
    if (!size) return size.error();
    std::shared_ptr<Segment> segment(new Segment(files, directory, base_offset, std::move(*file)));
    segment->end_ = segment->allocated_ = *size;
    return segment;
}

Result<void> Segment::append(const BatchHeader& header, std::span<const std::byte> batch) {
    const auto position = end_position();
    const auto new_end = position.value() + batch.size();
    if (new_end > allocated_) {
        const auto wanted = (new_end + kAllocateBytes - 1) / kAllocateBytes * kAllocateBytes;
        if (auto done = file_->allocate(wanted); !done) return done;
        allocated_ = wanted;
    }
    if (auto done = file_->write_at(position, batch); !done) {
        // Part of the batch may be there; nothing after end_position() may look like data.
        if (auto trimmed = file_->truncate(position.value()); !trimmed) return trimmed;
        allocated_ = position.value();
        return done;
    }
    {
        const std::lock_guard lock(index_mutex_);
        index_->note(header, position);
    }
    end_.store(new_end, std::memory_order_release);
    return {};
}

Result<void> Segment::close() {
    if (auto done = file_->truncate(end_.load()); !done) return done;
    allocated_ = end_.load();
    if (auto done = file_->sync_data(); !done) return done;
    write_index();
    return {};
}

void Segment::write_index() {
    std::vector<std::byte> encoded;
    {
        const std::lock_guard lock(index_mutex_);
        if (!index_) return;
        encoded = index_->encode();
    }
    // Not synced, and a failure is none of the log's: an index that is missing or short is rebuilt.
    auto file = files_.open(directory_ + "/" + segment_file_name(base_offset_, kIndexSuffix), OpenMode::create);
    if (file && (*file)->truncate(0)) static_cast<void>((*file)->write_at(FilePosition(0), encoded));
}

void Segment::drop_index() {
    const std::lock_guard lock(index_mutex_);
    index_.reset();
}

Result<void> Segment::remove() {
    // The log first: an index without a log is litter, a log without an index is rebuilt.
    if (auto done = files_.remove(path_); !done) return done;
    return files_.remove(directory_ + "/" + segment_file_name(base_offset_, kIndexSuffix));
}

OffsetIndex Segment::load_or_rebuild_index() const {
    const auto file = files_.open(directory_ + "/" + segment_file_name(base_offset_, kIndexSuffix), OpenMode::read);
    if (file) {
        if (auto index = OffsetIndex::load(**file, base_offset_, end_position().value())) return std::move(*index);
    }
    if (auto scan = scan_segment(*file_, base_offset_)) return std::move(scan->index);
    return OffsetIndex(base_offset_);
}

FilePosition Segment::look_up(Offset offset) const {
    const std::lock_guard lock(index_mutex_);
    if (!index_) index_ = load_or_rebuild_index();
    const auto position = index_->look_up(offset);
    std::array<std::byte, kBatchHeaderBytes> head{};
    const auto got = file_->read_at(position, head);
    const auto header = got ? decode_batch_header(std::span(head).first(*got)) : Result<BatchHeader>(got.error());
    const bool plausible = header && header->base_offset <= offset && header->base_offset >= base_offset_;
    return plausible ? position : FilePosition(0);
}

}  // namespace sluice::storage
