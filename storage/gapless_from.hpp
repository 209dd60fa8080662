// gapless_from.hpp: from which offset on a batch stands for every offset of a log, so that a hole is a loss.
//
// What is left out on purpose (compacted, thinned, given up, set aside, forwarded from memory) leaves a batch behind
// that covers its offsets, an empty one where need be. Logs that an older version began have holes without that, up to
// where they ended when this version first opened them. File `gapless-from` (checked_file.hpp). Where it is lost, the
// offset from which on batches have the log's mark stands in: no version that marks batches leaves holes.
#pragma once

#include "storage/file_system.hpp"
#include "storage/result.hpp"
#include "storage/types.hpp"

#include <optional>
#include <string>

namespace sluice::storage {

/// nullopt where nothing is known: missing, or damaged
[[nodiscard]] Result<std::optional<Offset>> load_gapless_from(FileSystem& files, const std::string& directory);
[[nodiscard]] Result<void> store_gapless_from(FileSystem& files, const std::string& directory, Offset from);

}  // namespace sluice::storage
