// compaction.hpp: keeps the latest record of each key of a log, as Kafka's log cleaner does.
//
// A pass reads the dirty part (what no pass has seen) into a table key -> latest offset, and then rewrites the log from
// its start up to there, leaving out each record whose key has a later one. Where the keys don't fit in the table, the
// pass ends before the first one that doesn't, and another pass goes on from there. The active segment is never
// touched. Tombstones stay for delete_retention after the pass that first met them, and until the forwarder has them.
// Unlike in Kafka, records without a key stay: to drop them would be loss.
// On the clean thread. Source: Kafka's LogCleaner, KIP-58, KIP-534.
#pragma once

#include "storage/clock.hpp"
#include "storage/log.hpp"
#include "storage/result.hpp"
#include "storage/segment_rewriter.hpp"

#include <cstddef>
#include <cstdint>

namespace sluice::storage {

struct CompactionOptions {
    std::size_t table_bytes = 10U << 20U;  ///< for 500,000 keys a pass
    bool whatever_the_ratio = false;       ///< don't wait for min_dirty_ratio
    /// The disk is full: nor for the forwarder. What it will not get is reported as a gap.
    bool room_is_needed = false;
};

struct CompactionResult {
    std::uint64_t bytes_read = 0;
    std::uint64_t bytes_freed = 0;
    std::int64_t records_left_out = 0;
    Offset clean_to;    ///< every key below it has only its latest record
    bool more = false;  ///< the keys did not fit in one pass
};

/// One pass, if the log is dirty enough.
/// @return as rewrite_segments()
[[nodiscard]] Result<CompactionResult> compact(FileSystem& files, Log& log, const Clock& clock,
                                               const CompactionOptions& options, const Pace& pace);

}  // namespace sluice::storage
