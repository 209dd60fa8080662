// config_secret.hpp: a password from the configuration, a file or the environment. Never printed, by anyone.
#pragma once

#include "agent/config_section.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace sluice::agent {

/// Reads `NAME`, `NAME_file` (its contents without a line end) or `NAME_env` (the name of a variable), of which at most
/// one may be given. A secret that others can see where it stands is a warning.
/// @param name  "password", "token"
/// @param doc   of NAME; the other two say that they are in its place
/// @return whether one of the three is given, good or not
bool read_secret(ConfigSection& section, std::string_view name, std::optional<std::string>& target, const KeyDoc& doc);
inline bool read_password(ConfigSection& section, std::optional<std::string>& target, const KeyDoc& doc) {
    return read_secret(section, "password", target, doc);
}

/// Warns where the secret at `place` can be read by others: in the file, or in the list of processes.
/// @param name  of the keys that it could be given with instead
void warn_if_exposed(ConfigSection& section, const Place& place, const std::string& what,
                     std::string_view name = "password");

/// Whether a librdkafka property's value is a secret, which is printed as "***".
[[nodiscard]] bool is_secret_property(std::string_view name);

}  // namespace sluice::agent
