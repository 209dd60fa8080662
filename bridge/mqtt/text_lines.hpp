// text_lines.hpp: the lines of a text file that people write, and what of them may be shown to people.
#pragma once

#include <string_view>

namespace sluice::bridge::mqtt {

/// Takes the first line off the front, without its end of line: LF or CR LF.
[[nodiscard]] std::string_view take_line(std::string_view& rest);

/// UTF-8 without control characters, which could end a line or steer a terminal.
[[nodiscard]] bool is_printable(std::string_view text);

}  // namespace sluice::bridge::mqtt
