// nearest_name.hpp: which known name a wrong one was probably meant to be.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::models {

/// The known name that `wrong` was probably meant to be: at most one typing error for each three letters (letters
/// missing, added, wrong or swapped). nullopt where none is near.
[[nodiscard]] std::optional<std::string> nearest_name(std::string_view wrong, const std::vector<std::string>& known);

}  // namespace sluice::models
