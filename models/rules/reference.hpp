// reference.hpp: the part of docs/rules.md that the table of functions writes.
#pragma once

#include <string>

namespace sluice::models::rules {

/// Markdown: a heading and a table a group, in the table's order.
[[nodiscard]] std::string reference();

/// `page` with what is between its two markers replaced by reference(); as it is where it hasn't both.
[[nodiscard]] std::string with_reference(const std::string& page);

}  // namespace sluice::models::rules
