// quarantine.hpp: takes damaged bytes out of a running log, so that one flipped bit doesn't stop its cleaning for ever.
//
// On the clean thread. What is damaged is kept in files of its own and reported as a gap; the last segment is looked at
// by recovery (recovery.hpp) when the log is opened.
#pragma once

#include "storage/file_system.hpp"
#include "storage/log.hpp"
#include "storage/result.hpp"
#include "storage/segment_rewriter.hpp"

namespace sluice::storage {

/// Reads all closed segments, and rewrites those with damaged bytes without them.
/// @return whether there were any
[[nodiscard]] Result<bool> quarantine_damage(FileSystem& files, Log& log, const Pace& pace);

}  // namespace sluice::storage
