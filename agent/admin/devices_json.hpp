// devices_json.hpp: /api/v1/devices, and what `sluice devices --json` prints. The schema: docs/admin.md.
#pragma once

#include "agent/admin/query_string.hpp"
#include "bridge/device_registry.hpp"
#include "storage/types.hpp"

#include <nlohmann/json_fwd.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace sluice::agent::admin {

/// Which devices somebody wants to see. Without anything: all.
struct DeviceChoice {
    enum class Order : std::uint8_t { silent, key };  ///< the longest silent first, or by stream and key
    std::string stream{};                             ///< empty: of any
    std::string text{};                               ///< in the key; empty: any
    Order order = Order::silent;
    std::size_t skip = 0;
    std::size_t limit = std::numeric_limits<std::size_t>::max();

    [[nodiscard]] static std::optional<DeviceChoice> of(const QueryString& asked);
};
/// Leaves those that are wanted, in that order. @return how many there would be without skip and limit
std::size_t choose(std::vector<bridge::Device>& devices, const DeviceChoice& choice);

[[nodiscard]] nlohmann::ordered_json devices_json(const std::vector<bridge::Device>& devices, storage::Timestamp now);

}  // namespace sluice::agent::admin
