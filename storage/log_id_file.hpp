// log_id_file.hpp: the file `log-id` of a stream's directory: the UUID that its offsets belong to, and which batches
// have its mark (batch_marks.hpp); with a checksum (checked_file.hpp).
#pragma once

#include "storage/batch_marks.hpp"
#include "storage/file_system.hpp"
#include "storage/result.hpp"
#include "storage/types.hpp"

#include <optional>
#include <string>

namespace sluice::storage {

/// @return Errc::not_found, Errc::corrupt: no UUID is there
[[nodiscard]] Result<LogId> load_log_id(FileSystem& files, const std::string& directory);
/// Of the log id that is there, or of its copy; BatchMarks::unknown() where both are gone. Changes nothing.
[[nodiscard]] Result<BatchMarks> load_batch_marks(FileSystem& files, const std::string& directory);
/// What is there, or the copy in the recovery point; nullopt where both are gone. The file is whole again, and has a
/// checksum.
[[nodiscard]] Result<std::optional<BatchMarks>> restore_log_id(FileSystem& files, const std::string& directory);
/// What is there is another log from now on: stores a new id, and its copy, and forgets which offsets were in use.
/// @param has_batches  with the marks of another id
[[nodiscard]] Result<BatchMarks> make_log_id(FileSystem& files, const std::string& directory, bool has_batches);
[[nodiscard]] Result<void> store_log_id(FileSystem& files, const std::string& directory, const BatchMarks& marks);

}  // namespace sluice::storage
