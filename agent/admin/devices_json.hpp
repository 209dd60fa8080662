// devices_json.hpp: /api/v1/devices, and what `sluice devices --json` prints. The schema: docs/admin.md.
#pragma once

#include "bridge/device_registry.hpp"
#include "storage/types.hpp"

#include <nlohmann/json_fwd.hpp>

#include <vector>

namespace sluice::agent::admin {

/// The longest silent first.
[[nodiscard]] nlohmann::ordered_json devices_json(std::vector<bridge::Device> devices, storage::Timestamp now);

}  // namespace sluice::agent::admin
