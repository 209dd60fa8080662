// diagnostic.hpp: what is wrong in a text of the user, where, and what to do.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::models::rules {

/// A part of a text: bytes from its start.
struct Place {
    std::size_t offset = 0;
    std::size_t length = 0;
};

struct Diagnostic {
    Place place;
    int line = 1;    ///< from 1
    int column = 1;  ///< from 1, in bytes
    std::string what;
    std::string to_do;
};
using Diagnostics = std::vector<Diagnostic>;

[[nodiscard]] Diagnostic diagnostic(std::string_view text, Place place, std::string what, std::string to_do);

/// "line:column: what (to do)", the line of `text` and a row that underlines the place.
[[nodiscard]] std::string render(const Diagnostic& diagnostic, std::string_view text);

/// What one is to do about an unknown name: "did you mean X?", or `otherwise`.
[[nodiscard]] std::string hint(std::string_view wrong, const std::vector<std::string>& known, std::string otherwise);

}  // namespace sluice::models::rules
