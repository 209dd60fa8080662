// offset_index.hpp: where to start looking for an offset in a segment: one entry about every 4 KiB.
//
// A hint: rebuilt when it is missing or wrong, and a look-up is checked against the segment. That of the active segment
// goes to its file in pieces, after the data that it points to was synced: its last entry is where recovery starts.
// Format: Kafka's .index, 8 bytes an entry, big-endian: last offset of a batch minus base offset (i32), position of
// that batch (i32). docs/log-format.md section 4.
#pragma once

#include "storage/file_system.hpp"
#include "storage/record_batch.hpp"
#include "storage/result.hpp"
#include "storage/types.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace sluice::storage {

class OffsetIndex {
 public:
    explicit OffsetIndex(Offset base_offset) : base_offset_(base_offset) {}

    static constexpr std::size_t kEntryBytes = 8;

    struct Entry {
        std::int32_t relative_last_offset;
        std::int32_t position;
    };

    /// Notes a batch at `position`; makes an entry where 4 KiB have passed since the last one, and says whether it did.
    bool note(const BatchHeader& batch, FilePosition position);
    /// The position of a batch that is not after the one that holds `offset`.
    [[nodiscard]] FilePosition look_up(Offset offset) const;
    [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }
    /// The entries from `first` on, as in the file.
    [[nodiscard]] std::vector<std::byte> encode(std::size_t first = 0) const;
    /// Keeps the first `count` entries; `batch` is the one of the last of these.
    void truncate(std::size_t count, const BatchHeader& batch);

    /// The whole of an index file.
    /// @return Errc::corrupt where its size or order can't be right for a segment of `segment_bytes`.
    [[nodiscard]] static Result<OffsetIndex> load(const File& file, Offset base_offset, std::uint64_t segment_bytes);

 private:
    Offset base_offset_;
    std::vector<Entry> entries_;
    std::uint64_t bytes_since_entry_ = 0;
};

}  // namespace sluice::storage
