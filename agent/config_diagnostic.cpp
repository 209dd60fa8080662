#include "agent/config_diagnostic.hpp"

#include "agent/text.hpp"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

namespace sluice::agent {

namespace {

std::vector<Diagnostic> in_order(std::vector<Diagnostic> diagnostics) {
    std::map<std::string, std::size_t> rank;
    for (const auto& diagnostic : diagnostics) rank.emplace(diagnostic.place.source, rank.size());
    const auto key = [&](const Diagnostic& diagnostic) {
        return std::tuple(rank.at(diagnostic.place.source), diagnostic.place.line, diagnostic.place.column);
    };
    std::stable_sort(diagnostics.begin(), diagnostics.end(),
                     [&](const Diagnostic& a, const Diagnostic& b) { return key(a) < key(b); });
    return diagnostics;
}

}  // namespace

std::string to_string(const Place& place) {
    if (place.line == 0) return place.source;
    return place.source + ":" + std::to_string(place.line) + ":" + std::to_string(place.column);
}

std::string to_string(const Diagnostic& diagnostic) {
    std::string text = to_string(diagnostic.place) + ": " + diagnostic.what;
    if (!diagnostic.todo.empty()) text += " (" + diagnostic.todo + ")";
    return one_line(text);
}

void Diagnostics::error(const Place& place, std::string what, std::string todo) {
    errors_.push_back({place, std::move(what), std::move(todo)});
}

void Diagnostics::warning(const Place& place, std::string what, std::string todo) {
    warnings_.push_back({place, std::move(what), std::move(todo)});
}

std::vector<Diagnostic> Diagnostics::errors() const {
    return in_order(errors_);
}
std::vector<Diagnostic> Diagnostics::warnings() const {
    return in_order(warnings_);
}

std::string in_quotes(std::string_view text) {
    std::string result = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') result += '\\';
        result += c;
    }
    return one_line(result) + '"';
}

}  // namespace sluice::agent
