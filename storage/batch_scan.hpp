// batch_scan.hpp: walks the batches of a segment file and tells what is intact, damaged, torn or empty.
//
// Shared by recovery, the reader (to get past damage) and `sluice log verify`, so that all three agree.
#pragma once

#include "storage/file_system.hpp"
#include "storage/record_batch.hpp"
#include "storage/result.hpp"
#include "storage/segment_index.hpp"
#include "storage/types.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace sluice::storage {

/// Reads the batch at `at` into `bytes` and checks it: complete before `end`, CRC, mark, base offset not below
/// `at_least`.
/// @return nullopt where there is no such batch; an error only where the file can't be read.
[[nodiscard]] Result<std::optional<BatchHeader>> read_intact_batch(const File& file, FilePosition at, FilePosition end,
                                                                   Offset at_least, const BatchMarks& marks,
                                                                   std::vector<std::byte>& bytes);

/// The first position at or after `from` where an intact batch with a base offset of at least `at_least` starts. Ones
/// with lower offsets are passed over: a deleted segment may have left them in the file.
[[nodiscard]] Result<std::optional<FilePosition>> find_intact_batch(const File& file, FilePosition from,
                                                                    FilePosition end, Offset at_least,
                                                                    const BatchMarks& marks);

/// Bytes that are no batch, with intact batches after them; or a batch whose records can't be read, though its checksum
/// is right.
struct Damage {
    FilePosition from;
    FilePosition to;
    Offset first;  ///< the first offset that is missing
    Offset next;   ///< the offset of the batch after the damage; equal to `first` where no offset is missing
};

enum class Tail : std::uint8_t {
    clean,  ///< the file ends with a batch
    zero,   ///< preallocated space that was never written
    torn,   ///< the beginning of a batch, or garbage: a write that did not finish, or what a deleted segment left
};

struct SegmentScan {
    explicit SegmentScan(Offset base_offset) : next_offset(base_offset), index(base_offset) {}

    FilePosition durable_to;  ///< where the scan began: what is before is on the medium
    FilePosition end;         ///< the end of the last intact batch
    Offset next_offset;       ///< the offset after it; the base offset in an empty segment
    Offset durable_end;       ///< of recovery: offsets below were durable once, found or not
    bool lost_end = false;    ///< of recovery: some of these, at the end, were not found
    Tail tail = Tail::clean;
    std::vector<Damage> damages;
    bool no_room = false;  ///< of recovery: the damages are where they were, as they could not be set aside
    SegmentIndex index;
    std::uint64_t batches = 0;

    /// Up to here it is known what the file holds: batches or damage.
    [[nodiscard]] FilePosition known_end() const { return damages.empty() ? end : std::max(end, damages.back().to); }
};

using OnBatch = std::function<void(FilePosition, const BatchHeader&, const std::vector<std::byte>&)>;

/// Walks a segment file from where `scan` ends so far, up to its end. `on_batch` is called for each intact batch whose
/// records can be read.
[[nodiscard]] Result<void> scan_on(const File& file, SegmentScan& scan, const BatchMarks& marks,
                                   const OnBatch& on_batch = {});

/// Walks a whole segment file.
[[nodiscard]] Result<SegmentScan> scan_segment(const File& file, Offset base_offset, const BatchMarks& marks,
                                               const OnBatch& on_batch = {});

}  // namespace sluice::storage
