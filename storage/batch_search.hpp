// batch_search.hpp: finds the next intact batch behind bytes that are none, in time linear in the file.
//
// Why not just check every place that looks like a batch: devices choose their payloads, and one can be full of headers
// that claim the rest of the file. Reading and summing that much for each of them would keep a gateway from starting.
// Here the checksums of all that begins in a window come from one pass over the file: from the running checksum where
// they begin and where they end (crc32c_shift()).
// Invariants
//   - finds what checking every place in order would find: nothing is given up, however many headers there are.
//   - whatever the bytes are, a file is read a few times for each 4 MiB of it that are searched, and never further
//   ahead
//     than a batch is long.
#pragma once

#include "storage/batch_marks.hpp"
#include "storage/file_system.hpp"
#include "storage/result.hpp"
#include "storage/types.hpp"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <vector>

namespace sluice::storage {

/// Whether a batch of this base offset may come behind offset `next` in a segment: its index counts in 31 bits from the
/// base offset. What jumps further is no batch of ours: a payload may look like one and say what it likes.
[[nodiscard]] inline bool may_follow(Offset next, Offset base_offset) {
    return base_offset - next <= std::numeric_limits<std::int32_t>::max();
}

class BatchSearch {
 public:
    /// @param end  how much of the file is looked at
    BatchSearch(const File& file, FilePosition end, const BatchMarks& marks) : file_(file), end_(end), marks_(marks) {}

    /// The first position at or after `from` where an intact batch with a base offset of at least `at_least` starts.
    /// Ones with lower offsets are passed over as a whole: a deleted segment may have left them in the file. `from`
    /// rises from call to call, and what one call has read serves the next. A batch at `from` that a running agent
    /// completes meanwhile is found too.
    [[nodiscard]] Result<std::optional<FilePosition>> find(FilePosition from, Offset at_least);

 private:
    struct Candidate {
        std::uint32_t at;  // from where the window begins
        std::uint32_t size_bytes;
        std::uint32_t checksum;  // of all from where the window begins to where this ends, if it is intact

        [[nodiscard]] std::uint64_t end() const { return std::uint64_t{at} + size_bytes; }
    };

    [[nodiscard]] Result<void> read_window(FilePosition from);
    void note_candidates(std::span<const std::byte> window);
    [[nodiscard]] Result<void> drop_what_is_not_intact();

    static constexpr std::size_t kFirstWindowBytes = 4U << 10U;  // the next batch is most often near
    const File& file_;
    const FilePosition end_;
    const BatchMarks marks_;
    std::size_t window_bytes_ = kFirstWindowBytes;
    FilePosition begin_;  // of the window
    FilePosition done_;   // before it begins what the window knows
    std::vector<Candidate> intact_;
};

}  // namespace sluice::storage
