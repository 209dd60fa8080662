// recovery_point.hpp: up to where a log was durable when it was last stopped in order.
//
// A lower bound that may be stale or missing: a log that ends before it has lost records, where one without it may only
// have an unfinished write at its end. File `recovery-point`: the log id and an offset. Kafka's is
// recovery-point-offset-checkpoint, for the same purpose.
#pragma once

#include "storage/file_system.hpp"
#include "storage/result.hpp"
#include "storage/types.hpp"

#include <string>

namespace sluice::storage {

/// @return 0 where none is stored for the log of this id
[[nodiscard]] Result<Offset> load_recovery_point(FileSystem& files, const std::string& directory, const LogId& id);
[[nodiscard]] Result<void> store_recovery_point(FileSystem& files, const std::string& directory, const LogId& id,
                                                Offset end);

}  // namespace sluice::storage
