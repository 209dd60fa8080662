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
#include <map>

namespace sluice::storage {

/// To which interval each segment is thinned, by its base offset; those that aren't here are not. Starts anew with each
/// start of the agent, which costs a look at the segments.
using ThinningState = std::map<Offset, std::chrono::milliseconds>;

/// Thins the oldest of the segments that are thinned least, to the interval of the log's options or to twice that of
/// the segment, until something is freed. What may still be needed for its notes (Log::hold_from) stays.
/// @return bytes freed; 0: thinning further would leave less than one record a day
[[nodiscard]] Result<std::uint64_t> thin(FileSystem& files, Log& log, ThinningState& state, const Pace& pace);

}  // namespace sluice::storage
