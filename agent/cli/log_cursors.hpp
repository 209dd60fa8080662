// log_cursors.hpp: how far the readers of the local log are, looked at from outside, whether an agent runs or not.
#pragma once

#include "storage/catalog.hpp"
#include "storage/file_system.hpp"

#include <string>
#include <vector>

namespace sluice::agent {

/// Cursors are an extra: where they can't be read that is printed, and there are none.
[[nodiscard]] std::vector<storage::Cursor> read_cursors(storage::FileSystem& files, const std::string& data_dir);

}  // namespace sluice::agent
