// retention.hpp: which whole segments may go, and deleting them.
//
// On the clean thread, while others append and read. Below the forwarder's cursor nothing is needed; what goes above it
// is a gap, and reported as one before its files are removed.
#pragma once

#include "storage/clock.hpp"
#include "storage/log.hpp"
#include "storage/result.hpp"

#include <string>

namespace sluice::storage {

/// Deletes closed segments that the retention doesn't keep, oldest first, where the log's cleanup says so.
[[nodiscard]] Result<void> delete_expired(FileSystem& files, Log& log, const Clock& clock);

/// Deletes every closed segment that the forwarder has finished, whatever its age: to make room.
/// @return whether there was one
[[nodiscard]] Result<bool> delete_finished(FileSystem& files, Log& log);

/// Deletes the oldest closed segment. @return false where there is none
[[nodiscard]] Result<bool> delete_oldest(FileSystem& files, Log& log, const std::string& reason);

}  // namespace sluice::storage
