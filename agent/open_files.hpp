// open_files.hpp: how many files the process may have open. Each connection is one, and the logs need theirs whatever
// devices do: an agent that can't open its next segment has to end.
#pragma once

#include "agent/config.hpp"
#include "bridge/report.hpp"

namespace sluice::agent {

/// Raises the process's limit to what `config` may need. Where the system's hard limit is lower, the listener takes
/// fewer connections, and a warning says so.
void allow_open_files(Config& config, const bridge::Report& report);

}  // namespace sluice::agent
