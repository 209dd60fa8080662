// record_json.hpp: a record as JSON: what `sluice log cat --json` prints and /api/v1/records answers.
#pragma once

#include "storage/record.hpp"

#include <nlohmann/json_fwd.hpp>

#include <cstddef>
#include <limits>

namespace sluice::agent {

/// Key, value and what headers hold are strings where they are UTF-8; where not, "key_base64" and the like.
/// @param value_bytes_max  a longer value is cut there, and "value_bytes" says how long it is
[[nodiscard]] nlohmann::ordered_json record_json(const storage::RecordView& record,
                                                 std::size_t value_bytes_max = std::numeric_limits<std::size_t>::max());

}  // namespace sluice::agent
