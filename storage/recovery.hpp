// recovery.hpp: brings the last segment of a log back to a state that can be appended to.
//
// Only the end of the last segment is looked at: a segment is synced before the next one is made, so everything before
// it was durable then; and its index files name only what was synced, so their last entry is the recovery point. That
// makes opening take the same time whatever the size of the log and of its segments.
// A torn tail (an unfinished write) is cut, unless the recovery point says that it was there. Damage with intact
// batches after it is not a tail: its bytes are kept in a file of their own, the segment is rewritten without them, and
// the missing offsets are reported as a gap.
#pragma once

#include "storage/batch_scan.hpp"
#include "storage/file_system.hpp"
#include "storage/result.hpp"
#include "storage/segment.hpp"
#include "storage/types.hpp"

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::storage {

/// The cleaner's result for the segments from `base_offset` up to `next_base`, complete and durable: from the moment
/// that a file of this name is there, it stands for them all.
[[nodiscard]] std::string swap_file_name(Offset base_offset, Offset next_base);
[[nodiscard]] std::optional<OffsetRange> parse_swap_file_name(std::string_view name);
inline constexpr std::string_view kCleanedSuffix = ".log.cleaned";  ///< … and what it is called before

/// Puts the swap file in the place of the segments that it stands for. May be cut short and called again.
[[nodiscard]] Result<void> swap_in(FileSystem& files, const std::string& directory, Offset base_offset,
                                   Offset next_base);

/// Whether a file of this name is left by a cleaner that was killed.
[[nodiscard]] bool is_leftover(std::string_view name);
/// Whether it holds damaged bytes that were set aside, for a person to look at.
[[nodiscard]] bool is_set_aside(std::string_view name);
/// Completes what a killed process left half done in a stream's directory, or removes it. A swap file that is damaged
/// doesn't replace segments that hold as much as it or more (swap_check.hpp).
[[nodiscard]] Result<void> finish_swaps(FileSystem& files, const std::string& directory);

/// Keeps the bytes of the scan's damages in files of their own, and puts a copy of the segment without them in its
/// place; an empty batch says which offsets are missing. Its indexes are gone then. A reader that has the old file open
/// goes on with it. What is lost is noted (gap_note.hpp) before that, so that a kill at any point leaves no loss
/// untold.
/// @return Errc::no_space: the segment is as it was
[[nodiscard]] Result<void> set_damage_aside(FileSystem& files, const std::string& directory, Offset base_offset,
                                            const File& segment, const SegmentScan& scan, const BatchMarks& marks);

/// Puts a part of the file on the medium, whatever the page cache believes: by writing it again.
[[nodiscard]] Result<void> write_again(File& file, FilePosition from, FilePosition to);

/// The end of what the last segment's index proves to have been durable: it names batches only after they were synced.
/// @return the base offset where it proves no loss
[[nodiscard]] Result<Offset> proven_end(FileSystem& files, const std::string& directory, Offset base_offset,
                                        const BatchMarks& marks);

/// The base offsets of a stream's segments, rising. An empty file with others behind it is none, and is removed: its
/// name would end the segment before it, in the middle of what that holds.
/// @param names  of the files in `directory`
[[nodiscard]] Result<std::vector<Offset>> find_segments(FileSystem& files, const std::string& directory,
                                                        const std::vector<std::string>& names);

/// Scans the segment and takes damage out of it. On return the file up to scan.end is intact batches.
/// scan.durable_to tells what of it is known to be on the medium; the rest may be in the page cache only, and marked as
/// written there by a sync that failed.
/// @param durable_end  the recovery point: what ends before it, or before proven_end(), is damaged, and not an
///                     unfinished write
/// @param on_damage    called for each damaged range, after its bytes are safe; where scan.no_room says so they stay in
///                     the segment, and in scan.damages
[[nodiscard]] Result<SegmentScan> recover_segment(FileSystem& files, const std::string& directory, Offset base_offset,
                                                  Offset durable_end, const BatchMarks& marks,
                                                  const std::function<void(const Damage&)>& on_damage);

}  // namespace sluice::storage
