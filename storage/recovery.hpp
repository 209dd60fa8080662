// recovery.hpp: brings the last segment of a log back to a state that can be appended to.
//
// Only the last segment is looked at: a segment is synced before the next one is made, so everything before it was
// durable then. That makes opening take the time of one segment, whatever the size of the log.
// A torn tail (an unfinished write) is cut. Damage with intact batches after it is not a tail: its bytes are kept in
// a file of their own, the segment is rewritten without them, and the missing offsets are reported as a gap.
#pragma once

#include "storage/batch_scan.hpp"
#include "storage/file_system.hpp"
#include "storage/result.hpp"
#include "storage/types.hpp"

#include <functional>
#include <string>

namespace sluice::storage {

/// Removes what a killed process left half done in a stream's directory.
[[nodiscard]] Result<void> remove_leftovers(FileSystem& files, const std::string& directory);

/// Scans the segment and takes damage out of it. On return the file up to scan.end is intact batches.
/// @param on_damage  called for each damaged range, after its bytes are safe
[[nodiscard]] Result<SegmentScan> recover_segment(FileSystem& files, const std::string& directory, Offset base_offset,
                                                  const std::function<void(const Damage&)>& on_damage);

}  // namespace sluice::storage
