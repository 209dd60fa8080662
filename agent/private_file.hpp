// private_file.hpp: changes a small file that not everybody may read: all of it or nothing, one at a time.
#pragma once

#include "storage/result.hpp"

#include <cstddef>
#include <functional>
#include <optional>
#include <string>

namespace sluice::agent {

/// Makes the new text of a file from the old one; nullopt: there is no file yet. An error leaves all as it is.
using Change = std::function<storage::Result<std::string>(const std::optional<std::string>& old)>;

/// Replaces the file at `path` by what `change` makes of it. After a crash either the old or the new text is there.
/// A new file is for its owner only (mode 0600); one that was there keeps its owner, group and mode. A symbolic link
/// stays, and the file that it names is replaced. Who changes a file of this directory at the same time waits.
/// @return Errc::invalid for a file over `bytes_max`, before or after, and for what is no regular file
[[nodiscard]] storage::Result<void> change_private_file(const std::string& path, std::size_t bytes_max,
                                                        const Change& change);

}  // namespace sluice::agent
