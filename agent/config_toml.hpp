// config_toml.hpp: TOML text to a configuration tree. The only place that knows the TOML library.
#pragma once

#include "agent/config_diagnostic.hpp"
#include "agent/config_tree.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace sluice::agent {

/// Parses TOML 1.0 text.
/// @param source  names the text in places and messages
/// @return nullopt after an error was reported: TOML that is broken in one place has no meaning after it
[[nodiscard]] std::optional<ConfigTable> parse_toml(std::string_view text, const std::string& source,
                                                    Diagnostics& diagnostics);

/// Parses the argument of --set, "a.b.c=value". The value is TOML where it can be read so, else a bare string.
/// Places name the option and the key, never the value: it may be a secret.
[[nodiscard]] std::optional<ConfigTable> parse_assignment(std::string_view argument, Diagnostics& diagnostics);

}  // namespace sluice::agent
