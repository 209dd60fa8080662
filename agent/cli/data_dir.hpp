// data_dir.hpp: what the commands that look at a data directory have in common.
#pragma once

#include "agent/cli/commands.hpp"
#include "storage/result.hpp"

#include <optional>
#include <string>

namespace sluice::agent {

/// The data directory that the arguments name. nullopt after the reason was printed: exit with kExitBadConfig.
[[nodiscard]] std::optional<std::string> data_dir_of(const LogArguments& arguments);

/// Prints the error. @return kExitFailure
[[nodiscard]] int report_failure(const storage::Error& error);

}  // namespace sluice::agent
