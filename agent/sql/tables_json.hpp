// tables_json.hpp: what is small, as JSON that a view takes apart: streams, devices.
#pragma once

#include "agent/sql/sql_context.hpp"

#include <string>

namespace sluice::agent::sql {

/// [{"stream", "log_id", "segments", "log_start_offset", "log_end_offset", "bytes", "forwarded"}]
[[nodiscard]] storage::Result<std::string> streams_json(SqlContext& context);
/// Of the source, or what the catalog noted of them, which is up to an hour old and without values.
[[nodiscard]] storage::Result<std::string> known_devices_json(SqlContext& context);

}  // namespace sluice::agent::sql
