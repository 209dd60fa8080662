// segment_rewriter.hpp: copies closed segments into one, leaving records out; the common part of compaction and
// thinning.
//
// Offsets never change; what is left out leaves holes. A batch that keeps all its records is copied as it is, others
// are joined. The result takes the place of its sources by a rename that survives a kill at any point (recovery.hpp);
// readers that have a source open read it to its end. Where nothing is left out nothing is written.
// On the clean thread.
#pragma once

#include "storage/log.hpp"
#include "storage/record.hpp"
#include "storage/result.hpp"
#include "storage/segment_set.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>

namespace sluice::storage {

/// Called after each piece of reading or writing, with its size: sleeps as long as the disk should be left alone.
/// @return false: give up
using Pace = std::function<bool(std::size_t)>;

class RecordFilter {
 public:
    enum class Verdict : std::uint8_t {
        keep,
        keep_until_horizon,  ///< a tombstone: its batch gets delete_horizon(), where it has none
        leave_out,
    };
    RecordFilter() = default;
    RecordFilter(const RecordFilter&) = delete;
    RecordFilter& operator=(const RecordFilter&) = delete;
    virtual ~RecordFilter() = default;

    [[nodiscard]] virtual Verdict judge(const RecordView& record, const BatchHeader& batch) = 0;
    [[nodiscard]] virtual Timestamp delete_horizon() const = 0;
    /// A batch of a transaction stays as it is, unjudged.
    virtual void note_transaction() {}
};

struct Rewritten {
    std::uint64_t bytes_before = 0;
    std::uint64_t bytes_after = 0;
    std::int64_t records_left_out = 0;
};

/// @param group  closed neighbours, in order
/// @return Errc::corrupt: a source is damaged, and was left alone. Errc::closed: `pace` gave up. Errc::no_space.
///         Errc::sync_failed: the files are between two states; the agent has to end, and the next start puts it right
/// @param before_swap  called with what is about to be left out, before that is so; an error leaves all as it was
[[nodiscard]] Result<Rewritten> rewrite_segments(FileSystem& files, Log& log, const SegmentSet::Segments& group,
                                                 RecordFilter& filter, const Pace& pace,
                                                 const std::function<Result<void>(const Rewritten&)>& before_swap = {});

}  // namespace sluice::storage
