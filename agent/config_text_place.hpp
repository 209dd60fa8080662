// config_text_place.hpp: where in a configuration file a part of a string stands.
//
// The TOML library knows where a value begins. What is wrong with an expression stands inside of it, maybe lines below,
// behind escapes.
#pragma once

#include "agent/config_diagnostic.hpp"

#include <cstddef>
#include <string_view>

namespace sluice::agent {

/// The place of byte `offset` of a string's value.
/// @param file   the text of the file
/// @param value  where the string begins, with its quotes
/// @return `value` where there is no string in `file`, or it ends before
[[nodiscard]] Place place_in_string(std::string_view file, const Place& value, std::size_t offset);

/// As place_in_string(), from the file that `value` names.
[[nodiscard]] Place place_in_string(const Place& value, std::size_t offset);

}  // namespace sluice::agent
