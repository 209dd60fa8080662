#include "storage/segment.hpp"

#include "storage/key_index.hpp"
#include "storage/read_ahead.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>
#include <vector>

namespace sluice::storage {

namespace {

constexpr std::size_t kOffsetDigits = 20;
constexpr std::int64_t kActive = -1;
constexpr std::size_t kHeadersReadBytes = 64U << 10U;
constexpr auto kClockWasSet = std::chrono::minutes(1);  // by at least so much: not only adjusted

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
    if (parsed.ec != std::errc() || parsed.ptr != end || value < 0 || value > kOffsetMax) {
        return std::nullopt;
    }
    return Offset(value);
}

std::string range_file_name(Offset base, Offset next, std::string_view suffix) {
    return segment_file_name(base, "-") + segment_file_name(next, suffix);
}

std::optional<OffsetRange> parse_range_file_name(std::string_view name, std::string_view suffix) {
    const auto dash = name.find('-');
    if (dash == std::string_view::npos) return std::nullopt;
    const auto base = parse_segment_file_name(name.substr(0, dash + 1), "-");
    const auto next = parse_segment_file_name(name.substr(dash + 1), suffix);
    if (!base || !next) return std::nullopt;
    return OffsetRange{*base, *next};
}

Result<void> write_indexes(FileSystem& files, const std::string& directory, Offset base_offset, SegmentIndex& index) {
    const auto offsets = directory + "/" + segment_file_name(base_offset, kIndexSuffix);
    const auto times = directory + "/" + segment_file_name(base_offset, kTimeIndexSuffix);
    index.times.finish();
    if (auto done = write_aside_and_rename(files, times, index.times.encode()); !done) return done;
    return write_aside_and_rename(files, offsets, index.offsets.encode());
}

Result<void> write_aside_and_rename(FileSystem& files, const std::string& path, std::span<const std::byte> bytes) {
    const auto aside = path + ".new";
    {
        auto file = files.open(aside, OpenMode::create);
        if (!file) return file.error();
        if (auto done = (*file)->truncate(0); !done) return done;
        if (auto done = (*file)->write_at(FilePosition(0), bytes); !done) return done;
        if (auto done = (*file)->sync_data(); !done) return done.error().of_scrapped_file();
    }
    return files.rename(aside, path);
}

Result<void> remove_indexes(FileSystem& files, const std::string& directory, Offset base_offset) {
    for (const auto suffix : {kIndexSuffix, kTimeIndexSuffix, kKeyIndexSuffix}) {
        if (auto done = files.remove(directory + "/" + segment_file_name(base_offset, suffix)); !done) return done;
    }
    return {};
}

Result<SegmentIndex> load_indexes(FileSystem& files, const std::string& directory, Offset base_offset,
                                  std::uint64_t segment_bytes) {
    const auto offset_file = files.open(directory + "/" + segment_file_name(base_offset, kIndexSuffix), OpenMode::read);
    if (!offset_file) return offset_file.error();
    const auto time_file =
        files.open(directory + "/" + segment_file_name(base_offset, kTimeIndexSuffix), OpenMode::read);
    if (!time_file) return time_file.error();
    SegmentIndex index(base_offset);
    auto offsets = OffsetIndex::load(**offset_file, base_offset, segment_bytes);
    if (!offsets) return offsets.error();
    index.offsets = std::move(*offsets);
    auto times = TimeIndex::load(**time_file, base_offset, segment_bytes);
    if (!times) return times.error();
    index.times = std::move(*times);
    return index;
}

Segment::Segment(FileSystem& files, std::shared_ptr<const StreamDirectory> directory, Offset base_offset,
                 Offset next_base, const FileStatus& status)
    : files_(files),
      directory_(std::move(directory)),
      base_offset_(base_offset),
      next_base_(next_base.value()),
      end_(status.size_bytes),
      modified_ms_(status.modified.time_since_epoch().count()) {}

Segment::Segment(FileSystem& files, std::shared_ptr<const StreamDirectory> directory, SegmentIndex index,
                 Offset base_offset, FilePosition end, Timestamp modified)
    : files_(files),
      directory_(std::move(directory)),
      base_offset_(base_offset),
      next_base_(kActive),
      end_(end.value()),
      modified_ms_(modified.time_since_epoch().count()),
      index_(std::make_unique<SegmentIndex>(std::move(index))) {}

std::optional<Offset> Segment::next_base() const {
    const auto next = next_base_.load(std::memory_order_acquire);
    return next == kActive ? std::nullopt : std::optional(Offset(next));
}

std::string Segment::path(std::string_view suffix) const {
    return directory() + "/" + segment_file_name(base_offset_, suffix);
}

void Segment::measure_age(const Clock& clock) {
    found(clock);
    measured_ = true;
}

void Segment::found(const Clock& clock) {
    measured_from_ms_ = clock.steady().count();
}

std::chrono::milliseconds Segment::age(const Clock& clock) const {
    const auto by_clock = clock.now() - modified();
    const auto from = measured_from_ms_.load();
    if (from == kNotMeasured) return by_clock;
    const auto measured = clock.steady() - std::chrono::milliseconds(from);
    return measured_ ? measured : std::max(by_clock, measured);
}

Result<void> Segment::correct_modified(const Clock& clock) {
    if (!measured_) return {};
    const auto right = clock.now() - age(clock);
    if (std::chrono::abs(right - modified()) < kClockWasSet) return {};
    auto file = files_.open(path(), OpenMode::read_write);
    if (!file) return file.error();
    if (auto done = (*file)->set_modified(right); !done) return done;
    modified_ms_ = right.time_since_epoch().count();
    return {};
}

void Segment::take_age_of(const Segment& replaced) {
    measured_from_ms_ = std::max(measured_from_ms_.load(), replaced.measured_from_ms_.load());
    if (replaced.measured_) measured_ = true;
}

std::uint64_t Segment::count_indexes() const {
    std::uint64_t bytes = 0;
    for (const auto suffix : {kIndexSuffix, kTimeIndexSuffix, kKeyIndexSuffix}) {
        if (const auto status = files_.status(path(suffix))) bytes += status->size_bytes;
    }
    return index_bytes_.exchange(bytes);
}

Result<std::unique_ptr<File>> Segment::open() const {
    return files_.open(path(), OpenMode::read);
}

Result<SegmentIndex> Segment::build_index(const File& file, const OnBatch& on_batch) const {
    auto scan = scan_segment(file, base_offset_, marks(), on_batch);
    if (!scan) return scan.error();
    scan->index.times.finish();
    return std::move(scan->index);
}

Result<FilePosition> Segment::look_up(Offset offset, const File& file) const {
    FilePosition position;
    {
        std::unique_lock lock(index_mutex_);
        if (index_) {
            position = index_->offsets.look_up(offset);
        } else {
            lock.unlock();
            auto index = load_indexes(files_, directory(), base_offset_, end_position().value());
            if (!index) index = build_index(file);
            if (!index) return index.error();
            position = index->offsets.look_up(offset);
        }
    }
    std::array<std::byte, kBatchHeaderBytes> head{};
    const auto got = file.read_at(position, head);
    if (!got) return got.error();
    const auto header = decode_batch_header(std::span(head).first(*got));
    const bool plausible = header && header->base_offset <= offset && header->base_offset >= base_offset_;
    return plausible ? position : FilePosition(0);
}

Result<std::optional<Offset>> Segment::look_up(Timestamp timestamp) const {
    const auto in = [&](const SegmentIndex& index) {
        const auto greatest = index.times.max_timestamp();
        return greatest && *greatest >= timestamp ? std::optional(index.times.look_up(timestamp)) : std::nullopt;
    };
    {
        const std::lock_guard lock(index_mutex_);
        if (index_) return in(*index_);
    }
    const auto file = open();
    if (!file) return file.error();
    auto index = load_indexes(files_, directory(), base_offset_, end_position().value());
    if (index) {
        const auto fits = times_fit(*index, timestamp, **file);
        if (!fits) return fits.error();
        if (!*fits) index = build_index(**file);
    } else if (index.error().kind() != Errc::io) {
        index = build_index(**file);
    }
    if (!index) return index.error();
    return in(*index);
}

/// Whether the entries that a search goes by are what the segment says: wrong ones would hide records.
Result<bool> Segment::times_fit(const SegmentIndex& index, Timestamp timestamp, const File& file) const {
    if (index.times.entries().empty()) return false;
    std::vector used{index.times.entries().back()};
    if (const auto before = index.times.entry_before(timestamp)) used.push_back(*before);
    for (const auto& entry : used) {
        const auto fits = entry_fits(index, entry, file);
        if (!fits || !*fits) return fits;
    }
    return is_greatest(index, index.times.entries().back(), file);
}

/// Whether no batch behind the entry has a later timestamp: of an index that was cut the last entries are missing.
Result<bool> Segment::is_greatest(const SegmentIndex& index, const TimeIndex::Entry& entry, const File& file) const {
    if (times_are_whole_) return true;
    ReadAhead ahead(kHeadersReadBytes);
    for (auto at = index.offsets.look_up(base_offset_ + entry.relative_offset); at < end_position();) {
        const auto head = ahead.at(file, at, kBatchHeaderBytes, end_position());
        if (!head) return head.error();
        const auto header = decode_batch_header(*head);
        if (!header) return false;
        if (header->record_count > 0 && header->max_timestamp.time_since_epoch().count() > entry.timestamp_ms) {
            return false;
        }
        at = at + header->size_bytes;
    }
    times_are_whole_ = true;
    return true;
}

/// Whether there is a batch with the entry's last offset and greatest timestamp.
Result<bool> Segment::entry_fits(const SegmentIndex& index, const TimeIndex::Entry& entry, const File& file) const {
    const auto last = base_offset_ + entry.relative_offset;
    for (auto at = index.offsets.look_up(last); at < end_position();) {
        std::array<std::byte, kBatchHeaderBytes> head{};
        const auto got = file.read_at(at, head);
        if (!got) return got.error();
        const auto header = decode_batch_header(std::span(head).first(*got));
        if (!header || header->last_offset() > last) return false;
        if (header->last_offset() == last) {
            return header->record_count > 0 && header->max_timestamp.time_since_epoch().count() == entry.timestamp_ms;
        }
        at = at + header->size_bytes;
    }
    return false;
}

Result<void> Segment::repair_indexes(const std::function<bool(std::size_t)>& pace) {
    if (indexes_checked_) return {};
    bool goes_on = true;
    const auto paced = [&](FilePosition, const BatchHeader& header, const auto&) {
        goes_on = goes_on && (!pace || pace(header.size_bytes));
    };
    const Error interrupted(Errc::closed, "making an index was interrupted");
    const auto file = open();
    if (!file) return file.error();
    auto index = load_indexes(files_, directory(), base_offset_, end_position().value());
    if (!index && index.error().kind() == Errc::io) return index.error();
    const auto fits = index ? times_fit(*index, Timestamp::max(), **file) : Result<bool>(false);
    if (!fits) return fits.error();
    if (!*fits) {
        index = build_index(**file, paced);
        if (!index) return index.error();
        if (auto done = write_indexes(files_, directory(), base_offset_, *index); !done) return done;
        if (!goes_on) return interrupted;
    }
    const auto there = KeyIndex::load(files_, *this);
    if (!there && there.error().kind() != Errc::invalid) {
        const auto keys = KeyIndex::build(*this, paced);
        if (!keys) return keys.error();
        auto done = *keys ? (*keys)->store(files_, *this) : KeyIndex::store_too_many(files_, *this);
        if (!done) return done;
        if (!goes_on) return interrupted;
    }
    indexes_checked_ = true;
    return {};
}

}  // namespace sluice::storage
