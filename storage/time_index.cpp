#include "storage/time_index.hpp"

#include "storage/varint.hpp"

#include <algorithm>

namespace sluice::storage {

void TimeIndex::note(const BatchHeader& batch, bool make_entry) {
    if (batch.record_count > 0 && (!max_timestamp_ || batch.max_timestamp > *max_timestamp_)) {
        max_timestamp_ = batch.max_timestamp;
        max_timestamp_at_ = static_cast<std::int32_t>(batch.last_offset() - base_offset_);
    }
    if (make_entry) add_entry();
}

void TimeIndex::finish() {
    add_entry();
}

void TimeIndex::add_entry() {
    if (!max_timestamp_) return;
    const auto millis = max_timestamp_->time_since_epoch().count();
    if (!entries_.empty() && entries_.back().timestamp_ms >= millis) return;
    entries_.push_back({millis, max_timestamp_at_});
}

std::optional<TimeIndex::Entry> TimeIndex::entry_before(Timestamp timestamp) const {
    const auto at_least =
        std::lower_bound(entries_.begin(), entries_.end(), timestamp.time_since_epoch().count(),
                         [](const Entry& entry, std::int64_t millis) { return entry.timestamp_ms < millis; });
    return at_least == entries_.begin() ? std::nullopt : std::optional(*std::prev(at_least));
}

Offset TimeIndex::look_up(Timestamp timestamp) const {
    // Up to the offset of an entry with a smaller timestamp no record has reached `timestamp`.
    const auto entry = entry_before(timestamp);
    return entry ? base_offset_ + entry->relative_offset + 1 : base_offset_;
}

std::vector<std::byte> TimeIndex::encode(std::size_t first) const {
    std::vector<std::byte> bytes((entries_.size() - first) * kEntryBytes);
    auto* at = bytes.data();
    for (auto i = first; i < entries_.size(); ++i) {
        store_big_endian(at, entries_[i].timestamp_ms);
        store_big_endian(at + 8, entries_[i].relative_offset);
        at += kEntryBytes;
    }
    return bytes;
}

void TimeIndex::truncate_after(Offset last) {
    while (!entries_.empty() && base_offset_ + entries_.back().relative_offset > last) entries_.pop_back();
    max_timestamp_.reset();
    if (entries_.empty()) return;
    max_timestamp_ = Timestamp(std::chrono::milliseconds(entries_.back().timestamp_ms));
    max_timestamp_at_ = entries_.back().relative_offset;
}

Result<TimeIndex> TimeIndex::load(const File& file, Offset base_offset, std::uint64_t segment_bytes) {
    const auto size = file.size();
    if (!size) return size.error();
    // At most one entry a batch, and one more when the segment is closed.
    if (*size % kEntryBytes != 0 || *size / kEntryBytes > segment_bytes / kBatchHeaderBytes + 1) {
        return Error(Errc::corrupt, "time index has an impossible size");
    }
    std::vector<std::byte> bytes(static_cast<std::size_t>(*size));
    const auto read = file.read_at(FilePosition(0), bytes);
    if (!read) return read.error();
    if (*read != bytes.size()) return Error(Errc::corrupt, "time index is cut off");
    TimeIndex index(base_offset);
    for (std::size_t at = 0; at < bytes.size(); at += kEntryBytes) {
        const Entry entry{load_big_endian<std::int64_t>(bytes.data() + at),
                          load_big_endian<std::int32_t>(bytes.data() + at + 8)};
        const bool first = index.entries_.empty();
        if (entry.relative_offset < 0 || (!first && (entry.timestamp_ms <= index.entries_.back().timestamp_ms ||
                                                     entry.relative_offset <= index.entries_.back().relative_offset))) {
            return Error(Errc::corrupt, "time index is out of order");
        }
        index.entries_.push_back(entry);
    }
    if (!index.entries_.empty()) {
        index.max_timestamp_ = Timestamp(std::chrono::milliseconds(index.entries_.back().timestamp_ms));
        index.max_timestamp_at_ = index.entries_.back().relative_offset;
    }
    return index;
}

}  // namespace sluice::storage
