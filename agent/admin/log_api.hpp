// log_api.hpp: /api/v1/records, /series and /why: what the page asks of the local log.
//
// All of it reads files: for the thread `query`. Rows, bytes, points and time are bounded; what didn't fit into them is
// said in the answer.
#pragma once

#include "agent/admin/router.hpp"
#include "storage/log.hpp"

#include <functional>
#include <string>

namespace sluice::agent::admin {

struct LogSource {
    std::string data_dir;
    std::function<const storage::Log*(const std::string& stream)> log;  ///< nullptr: there is no such stream
};

/// @param source  outlives the router
void add_log_paths(Router& router, const LogSource& source);

}  // namespace sluice::agent::admin
