// config_secret.hpp: a password from the configuration, a file or the environment. Never printed, by anyone.
#pragma once

#include "agent/config_section.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace sluice::agent {

/// Reads `password`, `password_file` (its contents without a line end) or `password_env` (the name of a variable), of
/// which at most one may be given. A password that others can see where it stands is a warning.
/// @return whether one of the three is given, good or not
bool read_password(ConfigSection& section, std::optional<std::string>& target);

/// Warns where the secret at `place` can be read by others: in the file, or in the list of processes.
void warn_if_exposed(ConfigSection& section, const Place& place, const std::string& what);

/// Whether a librdkafka property's value is a secret, which is printed as "***".
[[nodiscard]] bool is_secret_property(std::string_view name);

}  // namespace sluice::agent
