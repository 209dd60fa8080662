// thinning.hpp: keeps one record for each key and interval of the part of a log that is not forwarded yet.
//
// For the stream that has on_full = "thin", when the disk is full: after days without an uplink there is still a curve
// of each sensor, and not a hole. Of each interval the first record stays, so a coarser interval keeps a part of what a
// finer one kept. What was forwarded goes altogether; records without a key, and tombstones, stay.
// On the clean thread.
#pragma once

#include "storage/log.hpp"
#include "storage/result.hpp"
#include "storage/segment_rewriter.hpp"

#include <chrono>
#include <cstdint>

namespace sluice::storage {

/// How far a log is thinned; starts anew with each start of the agent, which costs a look at the segments.
struct ThinningState {
    std::chrono::milliseconds interval{0};  ///< 0: not begun
    Offset done_to;                         ///< segments below it are thinned to this interval …
    Offset thinned_to;                      ///< … and below this to some
};

/// Thins the oldest segments that are not thinned yet, or begins anew with twice the interval, until something is
/// freed.
/// @return bytes freed; 0: thinning further would leave less than one record a day
[[nodiscard]] Result<std::uint64_t> thin(FileSystem& files, Log& log, ThinningState& state, const Pace& pace);

}  // namespace sluice::storage
