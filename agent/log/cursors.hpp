// cursors.hpp: how far the readers of the local log are, looked at from outside, whether an agent runs or not.
#pragma once

#include "storage/catalog.hpp"
#include "storage/file_system.hpp"
#include "storage/result.hpp"

#include <optional>
#include <string>
#include <vector>

namespace sluice::agent {

/// Cursors are an extra: where they can't be read that is printed, and there are none.
[[nodiscard]] std::vector<storage::Cursor> read_cursors(storage::FileSystem& files, const std::string& data_dir);

/// A note of the catalog; nullopt where there is none, or no catalog.
[[nodiscard]] storage::Result<std::optional<std::string>> read_note(storage::FileSystem& files,
                                                                    const std::string& data_dir, const char* name);

}  // namespace sluice::agent
