// sql_api.hpp: /api/v1/sql: SQL over the local log, for the page.
//
// It reads files: for the thread `query`, which answers nothing else meanwhile. So a query has 5 s, 1,000 rows, 4 MiB
// and 32 MiB of memory, and only one statement; what was found until one of these ended it is given, with the reason.
#pragma once

#include "agent/admin/log_api.hpp"
#include "agent/admin/router.hpp"
#include "bridge/device_registry.hpp"

#include <functional>
#include <vector>

namespace sluice::agent::admin {

/// @param source   outlives the router
/// @param devices  those that the agent knows
void add_sql_path(Router& router, const LogSource& source, std::function<std::vector<bridge::Device>()> devices);

}  // namespace sluice::agent::admin
