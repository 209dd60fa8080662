// why_json.hpp: what became of a record, as JSON: `sluice why --json` and /api/v1/why.
#pragma once

#include "agent/log/why_answer.hpp"

#include <nlohmann/json_fwd.hpp>

#include <string>

namespace sluice::agent {

[[nodiscard]] nlohmann::ordered_json why_json(const WhyAnswer& answer);
/// Of one that waits: what for. One line.
[[nodiscard]] std::string why_it_waits(const WhyAnswer& answer);
/// "topic T, partition P, offset O, acknowledged by TIME"
[[nodiscard]] std::string shown_place(const storage::Delivered& delivered);

}  // namespace sluice::agent
