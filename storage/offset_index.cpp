#include "storage/offset_index.hpp"

#include "storage/varint.hpp"

#include <algorithm>
#include <limits>

namespace sluice::storage {

namespace {

constexpr std::uint64_t kIndexIntervalBytes = 4096;

}  // namespace

bool OffsetIndex::note(const BatchHeader& batch, FilePosition position) {
    constexpr auto kPositionMax = static_cast<std::uint64_t>(std::numeric_limits<std::int32_t>::max());
    const bool make_entry = bytes_since_entry_ > kIndexIntervalBytes && position.value() <= kPositionMax;
    if (make_entry) {
        entries_.push_back({static_cast<std::int32_t>(batch.last_offset() - base_offset_),
                            static_cast<std::int32_t>(position.value())});
        bytes_since_entry_ = 0;
    }
    bytes_since_entry_ += batch.size_bytes;
    return make_entry;
}

void OffsetIndex::truncate(std::size_t count, const BatchHeader& batch) {
    entries_.resize(count);
    bytes_since_entry_ = batch.size_bytes;
}

FilePosition OffsetIndex::look_up(Offset offset) const {
    const auto after = std::upper_bound(
        entries_.begin(), entries_.end(), offset - base_offset_,
        [](std::int64_t relative, const Entry& entry) { return relative < entry.relative_last_offset; });
    if (after == entries_.begin()) return FilePosition(0);
    return FilePosition(static_cast<std::uint64_t>(std::prev(after)->position));
}

std::vector<std::byte> OffsetIndex::encode(std::size_t first) const {
    std::vector<std::byte> bytes((entries_.size() - first) * kEntryBytes);
    auto* at = bytes.data();
    for (auto i = first; i < entries_.size(); ++i) {
        store_big_endian(at, entries_[i].relative_last_offset);
        store_big_endian(at + 4, entries_[i].position);
        at += kEntryBytes;
    }
    return bytes;
}

Result<OffsetIndex> OffsetIndex::load(const File& file, Offset base_offset, std::uint64_t segment_bytes) {
    const auto size = file.size();
    if (!size) return size.error();
    // An entry stands for more than kIndexIntervalBytes of segment, so a larger index is not of this segment.
    if (*size % kEntryBytes != 0 || *size / kEntryBytes > segment_bytes / kIndexIntervalBytes) {
        return Error(Errc::corrupt, "offset index has an impossible size");
    }
    std::vector<std::byte> bytes(static_cast<std::size_t>(*size));
    const auto read = file.read_at(FilePosition(0), bytes);
    if (!read) return read.error();
    if (*read != bytes.size()) return Error(Errc::corrupt, "offset index is cut off");
    OffsetIndex index(base_offset);
    Entry last{-1, 0};
    for (std::size_t at = 0; at < bytes.size(); at += kEntryBytes) {
        const Entry entry{load_big_endian<std::int32_t>(bytes.data() + at),
                          load_big_endian<std::int32_t>(bytes.data() + at + 4)};
        if (entry.relative_last_offset <= last.relative_last_offset || entry.position <= last.position ||
            static_cast<std::uint64_t>(entry.position) >= segment_bytes) {
            return Error(Errc::corrupt, "offset index is out of order");
        }
        index.entries_.push_back(entry);
        last = entry;
    }
    return index;
}

}  // namespace sluice::storage
