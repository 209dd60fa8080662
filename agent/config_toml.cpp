#include "agent/config_toml.hpp"

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include <algorithm>
#include <sstream>
#include <tuple>
#include <utility>

namespace sluice::agent {

namespace {

Place place_of(const toml::source_region& region, const std::string& source) {
    return {source, region.begin.line, region.begin.column};
}

ConfigTable convert(const toml::table& table, const std::string& source);

ConfigValue convert(const toml::node& node, const std::string& source) {
    ConfigValue value{place_of(node.source(), source), {}};
    if (const auto* text = node.as_string()) {
        value.data = text->get();
    } else if (const auto* integer = node.as_integer()) {
        value.data = integer->get();
    } else if (const auto* number = node.as_floating_point()) {
        value.data = number->get();
    } else if (const auto* boolean = node.as_boolean()) {
        value.data = boolean->get();
    } else if (const auto* table = node.as_table()) {
        value.data = convert(*table, source);
    } else if (const auto* array = node.as_array()) {
        ConfigArray elements;
        for (const auto& element : *array) elements.push_back(convert(element, source));
        value.data = std::move(elements);
    } else {
        value.data = UnusedKind{"a date or time"};
    }
    return value;
}

/// The library keeps keys sorted by name; people look for them in the order of the file.
ConfigTable convert(const toml::table& table, const std::string& source) {
    ConfigTable result;
    for (const auto& [key, node] : table) {
        result.entries.push_back({std::string(key.str()), place_of(key.source(), source), convert(node, source)});
    }
    std::stable_sort(result.entries.begin(), result.entries.end(), [](const ConfigEntry& a, const ConfigEntry& b) {
        return std::tie(a.key_place.line, a.key_place.column) < std::tie(b.key_place.line, b.key_place.column);
    });
    return result;
}

/// "Error while parsing value: …" becomes "not valid TOML: error while parsing value: …".
std::string in_our_words(std::string_view description) {
    std::string text(description);
    if (text.starts_with('E')) text.front() = 'e';
    return "not valid TOML: " + text;
}

std::optional<toml::table> parse(std::string_view text) {
    auto result = toml::parse(text);
    if (!result) return std::nullopt;
    return std::move(result).table();
}

}  // namespace

std::optional<ConfigTable> parse_toml(std::string_view text, const std::string& source, Diagnostics& diagnostics) {
    const auto result = toml::parse(text);
    if (!result) {
        diagnostics.error(place_of(result.error().source(), source), in_our_words(result.error().description()));
        return std::nullopt;
    }
    return convert(result.table(), source);
}

std::optional<ConfigTable> parse_assignment(std::string_view argument, Diagnostics& diagnostics) {
    const auto equals = argument.find('=');
    const auto key = argument.substr(0, equals);
    const std::string source = "--set " + std::string(key);
    const auto probe = parse(std::string(key) + "=0");
    if (equals == std::string_view::npos || !probe || probe->empty()) {
        diagnostics.error({source, 1, 1}, "not an assignment", "write KEY=VALUE, such as agent.log_level=debug");
        return std::nullopt;
    }
    if (const auto table = parse(argument)) return convert(*table, source);
    // A shell has taken the quotes away, or the user never wrote them: the value is the text itself.
    auto table = convert(*parse(std::string(key) + "=\"\""), source);
    auto* innermost = &table;
    while (auto* inner = std::get_if<ConfigTable>(&innermost->entries.front().value.data)) innermost = inner;
    innermost->entries.front().value.data = std::string(argument.substr(equals + 1));
    return table;
}

}  // namespace sluice::agent
