// recovery_point.hpp: up to where a log was durable when it was last stopped in order.
//
// A lower bound that may be stale or missing: a log that ends before it has lost records, where one without it may only
// have an unfinished write at its end. File `recovery-point` (checked_file.hpp): an offset, and all of `log-id`, of
// which it is the second copy. It is there from the log's first moment on, with offset 0. Kafka's is
// recovery-point-offset-checkpoint, for the same purpose.
#pragma once

#include "storage/batch_marks.hpp"
#include "storage/file_system.hpp"
#include "storage/result.hpp"
#include "storage/types.hpp"

#include <optional>
#include <string>

namespace sluice::storage {

/// The copy of `log-id` that is there, where there is one.
[[nodiscard]] Result<std::optional<BatchMarks>> log_id_of_recovery_point(FileSystem& files,
                                                                         const std::string& directory);
/// @return 0 where none is stored for the log of this id
[[nodiscard]] Result<Offset> load_recovery_point(FileSystem& files, const std::string& directory, const LogId& id);
[[nodiscard]] Result<void> store_recovery_point(FileSystem& files, const std::string& directory,
                                                const BatchMarks& marks, Offset end);

}  // namespace sluice::storage
