// time_index.hpp: from which record on a timestamp may be found in a segment.
//
// A hint, as the offset index is. Device clocks jump, so an entry says "the greatest timestamp up to this offset", and
// an entry is made only where that has grown.
// Format: Kafka's .timeindex, 12 bytes an entry, big-endian: timestamp in ms (i64), offset minus base offset (i32).
// The offset is the last one of the batch with the greatest timestamp. docs/log-format.md section 4.
#pragma once

#include "storage/file_system.hpp"
#include "storage/record_batch.hpp"
#include "storage/result.hpp"
#include "storage/types.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace sluice::storage {

class TimeIndex {
 public:
    static constexpr std::size_t kEntryBytes = 12;

    explicit TimeIndex(Offset base_offset) : base_offset_(base_offset) {}

    /// Notes a batch. @param make_entry  whether the offset index made one for this batch: the two go together
    void note(const BatchHeader& batch, bool make_entry);
    /// Makes the last entry, when the segment is closed: it holds the segment's greatest timestamp.
    void finish();

    /// An offset so that no record before it has a timestamp of at least `timestamp`.
    [[nodiscard]] Offset look_up(Timestamp timestamp) const;
    /// The greatest timestamp noted; nullopt in an empty segment.
    [[nodiscard]] std::optional<Timestamp> max_timestamp() const { return max_timestamp_; }

    [[nodiscard]] std::size_t size() const { return entries_.size(); }
    /// The entries from `first` on, as in the file.
    [[nodiscard]] std::vector<std::byte> encode(std::size_t first = 0) const;
    /// Drops the entries for offsets above `last`.
    void truncate_after(Offset last);

    /// @return Errc::corrupt where its size or order can't be right for a segment of `segment_bytes`.
    [[nodiscard]] static Result<TimeIndex> load(const File& file, Offset base_offset, std::uint64_t segment_bytes);

    struct Entry {
        std::int64_t timestamp_ms;
        std::int32_t relative_offset;
    };
    [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }
    /// The entry that look_up() goes by, which is the last with a smaller timestamp; nullopt where there is none.
    [[nodiscard]] std::optional<Entry> entry_before(Timestamp timestamp) const;

 private:
    void add_entry();

    Offset base_offset_;
    std::vector<Entry> entries_;
    std::optional<Timestamp> max_timestamp_;
    std::int32_t max_timestamp_at_ = 0;  // relative offset
};

}  // namespace sluice::storage
