// log_id_file.hpp: the file `log-id` of a stream's directory: the UUID that its offsets belong to, with a
// checksum (checked_file.hpp).
#pragma once

#include "storage/file_system.hpp"
#include "storage/result.hpp"
#include "storage/types.hpp"

#include <optional>
#include <string>

namespace sluice::storage {

/// @return Errc::not_found, Errc::corrupt: no UUID is there
[[nodiscard]] Result<LogId> load_log_id(FileSystem& files, const std::string& directory);
/// Likewise, or from the copy in the recovery point; nullopt where both are gone. The file is whole again, and has a
/// checksum.
[[nodiscard]] Result<std::optional<LogId>> restore_log_id(FileSystem& files, const std::string& directory);
/// What is there is another log from now on: stores a new id, and its copy, and forgets which offsets were in use.
[[nodiscard]] Result<LogId> make_log_id(FileSystem& files, const std::string& directory);
[[nodiscard]] Result<void> store_log_id(FileSystem& files, const std::string& directory, const LogId& id);

}  // namespace sluice::storage
