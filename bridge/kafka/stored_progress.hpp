// stored_progress.hpp: what the catalog keeps of a stream's progress, until the next start.
//
// A cursor, and with order = "live_first" a note of the ranges beyond it: "LOG-ID first-next first-next".
#pragma once

#include "bridge/kafka/progress.hpp"
#include "storage/catalog.hpp"
#include "storage/result.hpp"
#include "storage/types.hpp"

#include <optional>
#include <string>
#include <vector>

namespace sluice::bridge::kafka {

/// @return nullopt where nothing of the log with this id was forwarded yet
[[nodiscard]] storage::Result<std::optional<Progress>> load_progress(storage::Catalog& catalog,
                                                                     const std::string& stream,
                                                                     const storage::LogId& id);
/// The ranges only: cursors of several streams are stored together (Catalog::store_cursors()).
[[nodiscard]] storage::Result<void> store_ahead(storage::Catalog& catalog, const std::string& stream,
                                                const storage::LogId& id, const std::vector<OffsetRange>& ahead);

}  // namespace sluice::bridge::kafka
