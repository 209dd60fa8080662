// rules_json.hpp: /api/v1/rules: the rules as they are configured, and which fields they read. The schema:
// docs/admin.md.
#pragma once

#include "agent/config.hpp"

#include <nlohmann/json_fwd.hpp>

namespace sluice::agent::admin {

[[nodiscard]] nlohmann::ordered_json rules_json(const RulesConfig& rules);

}  // namespace sluice::agent::admin
