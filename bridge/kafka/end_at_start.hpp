// end_at_start.hpp: where a stream's log ended when the agent started, until Kafka was asked for the position.
//
// Why: with durability "flush" a log can lose its end with the power, and what was forwarded of it counts in the
// position. The offsets are given to other records then, and before Kafka can be asked the log may have grown beyond
// the position: it would be taken for that of the new records, which would never be sent. So the end is kept in the
// catalog, the earliest of all starts since Kafka was asked, and a position beyond it is not believed.
#pragma once

#include "storage/catalog.hpp"
#include "storage/log.hpp"
#include "storage/result.hpp"

namespace sluice::bridge::kafka {

/// Notes the end of `log` as it is now, durably. Before anything is appended.
/// @return the earliest one that is noted
[[nodiscard]] storage::Result<storage::Offset> note_end_at_start(storage::Catalog& catalog, const storage::Log& log);

/// The stream stands where Kafka says: durable when it returns.
[[nodiscard]] storage::Result<void> forget_end_at_start(storage::Catalog& catalog, const storage::Log& log);

}  // namespace sluice::bridge::kafka
