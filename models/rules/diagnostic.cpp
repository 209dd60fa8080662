#include "models/rules/diagnostic.hpp"

#include "models/nearest_name.hpp"

#include <algorithm>

namespace sluice::models::rules {

Diagnostic diagnostic(std::string_view text, Place place, std::string what, std::string to_do) {
    const auto before = text.substr(0, std::min(place.offset, text.size()));
    const auto newline = before.rfind('\n');
    const auto column = newline == std::string_view::npos ? before.size() : before.size() - newline - 1;
    return {place, static_cast<int>(std::count(before.begin(), before.end(), '\n')) + 1, static_cast<int>(column) + 1,
            std::move(what), std::move(to_do)};
}

std::string render(const Diagnostic& d, std::string_view text) {
    std::string out = std::to_string(d.line) + ":" + std::to_string(d.column) + ": " + d.what;
    if (!d.to_do.empty()) out += " (" + d.to_do + ")";
    const auto column = static_cast<std::size_t>(d.column) - 1;
    const auto start = std::min(d.place.offset, text.size()) - column;
    const auto line = text.substr(start, text.substr(start).find('\n'));
    out += "\n    " + std::string(line) + "\n    " + std::string(column, ' ');
    const auto rest = line.size() > column ? line.size() - column : 1;
    return out + '^' + std::string(std::min(std::max<std::size_t>(d.place.length, 1), rest) - 1, '~') + '\n';
}

std::string hint(std::string_view wrong, const std::vector<std::string>& known, std::string otherwise) {
    const auto nearest = nearest_name(wrong, known);
    return nearest ? "did you mean \"" + *nearest + "\"?" : std::move(otherwise);
}

}  // namespace sluice::models::rules
