// status_view.hpp: an agent's state as a page for people, of at most 80 columns.
//
// From the JSON of /api/v1/status, so that it is the same wherever that comes from. What stands in it may be of a
// peer's making: nothing of it reaches a terminal as a control code.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <string>

namespace sluice::agent {

/// @param colour  for a terminal
[[nodiscard]] std::string status_page(const nlohmann::ordered_json& status, bool colour);

/// Devices as /api/v1/devices has them, in the same order, one a line.
[[nodiscard]] std::string devices_page(const nlohmann::ordered_json& devices);

/// Alerts as /api/v1/alerts has them, in the same order, two lines each.
[[nodiscard]] std::string alerts_page(const nlohmann::ordered_json& alerts);

/// "950 B", "11.8 MiB"
[[nodiscard]] std::string short_size(double bytes);
/// "12 s", "5 min", "3 h 20 min", "2 d 1 h"
[[nodiscard]] std::string short_time(double seconds);
/// "950", "12.3k", "4.5M": at most five characters up to a billion
[[nodiscard]] std::string short_count(double count);

}  // namespace sluice::agent
