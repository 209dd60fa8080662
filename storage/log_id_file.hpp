// log_id_file.hpp: the file `log-id` of a stream's directory: the UUID that its offsets belong to.
#pragma once

#include "storage/file_system.hpp"
#include "storage/result.hpp"
#include "storage/types.hpp"

#include <string>

namespace sluice::storage {

/// @return Errc::not_found, Errc::corrupt: no UUID is there
[[nodiscard]] Result<LogId> load_log_id(FileSystem& files, const std::string& directory);
[[nodiscard]] Result<void> store_log_id(FileSystem& files, const std::string& directory, const LogId& id);

}  // namespace sluice::storage
