// ask_password.hpp: a password from the terminal, which doesn't show it, or from stdin.
#pragma once

#include "storage/result.hpp"

#include <string>

namespace sluice::agent {

/// Asks twice on the terminal. Its settings are put back in any case, on Ctrl-C too.
/// @return Errc::closed: Ctrl-C, or a signal to end; Errc::invalid: nothing was typed, the two differ, or stdin is no
/// terminal
[[nodiscard]] storage::Result<std::string> ask_new_password();

/// The first line of stdin, without its end of line.
/// @return Errc::invalid: it is empty, or too long for MQTT
[[nodiscard]] storage::Result<std::string> read_password_line();

}  // namespace sluice::agent
