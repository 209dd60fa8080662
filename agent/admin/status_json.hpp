// status_json.hpp: /api/v1/status, and what `sluice status --json` prints. The schema: docs/admin.md.
#pragma once

#include "agent/rates.hpp"
#include "agent/snapshot.hpp"

#include <nlohmann/json_fwd.hpp>

#include <string>

namespace sluice::agent::admin {

[[nodiscard]] nlohmann::ordered_json status_json(const Snapshot& snapshot, const Rates& rates);

/// One line; what is not UTF-8 is replaced.
[[nodiscard]] std::string dump(const nlohmann::ordered_json& json);

}  // namespace sluice::agent::admin
