// key_index.hpp: which keys a closed segment has, and where each is last; so that a search by key can pass over
// segments.
//
// Made by the cleaner, after the segment was closed. Without it a segment is scanned. It must never hide a record, so
// it has a checksum, names its segment, and goes whenever that is changed. File `BASE.keyindex`, big-endian: magic
// "SLK2" (4 bytes), CRC-32C of the rest (4), base offset (8) and size (8) of the segment, then 12 bytes a key, sorted:
// XXH3-64 of the key (8), offset of its last record minus the base offset (4). With the magic "SLK0" and nothing after
// the size it says that the segment has too many keys. Ours, not Kafka's. One of an older version ("SLKI") names no
// segment, and is made anew.
#pragma once

#include "storage/batch_scan.hpp"
#include "storage/file_system.hpp"
#include "storage/result.hpp"
#include "storage/segment.hpp"
#include "storage/types.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::storage {

class KeyIndex {
 public:
    /// A segment with more keys than this gets no index: it would be no help.
    static constexpr std::size_t kKeysMax = 65536;

    /// Reads the segment and makes its index; nullopt where it has too many keys.
    [[nodiscard]] static Result<std::optional<KeyIndex>> build(const Segment& segment, const OnBatch& on_batch = {});
    /// @return Errc::not_found, Errc::corrupt: scan the segment instead. Errc::invalid: likewise, it has too many keys
    [[nodiscard]] static Result<KeyIndex> load(FileSystem& files, const Segment& segment);
    [[nodiscard]] Result<void> store(FileSystem& files, const Segment& segment) const;
    /// Says that the segment has too many keys, so that no start reads it again to find that out.
    [[nodiscard]] static Result<void> store_too_many(FileSystem& files, const Segment& segment);

    /// The offset of the last record with this key, or with one of the same hash; nullopt: there is none for sure.
    [[nodiscard]] std::optional<Offset> last_of(std::string_view key) const;
    [[nodiscard]] std::size_t size() const { return entries_.size(); }

 private:
    explicit KeyIndex(Offset base_offset) : base_offset_(base_offset) {}

    Offset base_offset_;
    std::vector<std::pair<std::uint64_t, std::int32_t>> entries_;
};

}  // namespace sluice::storage
