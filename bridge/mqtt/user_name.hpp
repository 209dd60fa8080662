// user_name.hpp: which texts may name a user in the password file and in the ACL file.
#pragma once

#include "storage/result.hpp"

#include <string_view>

namespace sluice::bridge::mqtt {

/// 1 to 65,535 bytes of UTF-8, as MQTT carries them; without ":", which ends the name in the password file, control
/// characters, which would end its line or steer a terminal, and "#" at the beginning, which begins a comment.
/// @return Errc::invalid, with what is wrong
[[nodiscard]] storage::Result<void> check_user_name(std::string_view name);

}  // namespace sluice::bridge::mqtt
