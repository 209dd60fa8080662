// The values of a section's keys, one reader a type.
#include "agent/config_section.hpp"
#include "agent/config_units.hpp"

#include <algorithm>
#include <filesystem>
#include <sstream>

namespace sluice::agent {

namespace {

constexpr const char* kInQuotes = "put it in quotes";
constexpr const char* kDurationForm = "a whole number and ms, s, m, h or d, such as \"10s\"";
constexpr const char* kSizeForm = "a whole number and B, KiB, MiB, GiB, TiB, KB, MB, GB or TB, such as \"16MiB\"";

std::string range(const std::string& min, const std::string& max) {
    return "from " + min + " to " + max;
}

std::string to_text(double number) {
    std::ostringstream text;
    text << number;
    return text.str();
}

// For the reference, in Markdown.
std::string code(std::string_view text) {
    return "`" + std::string(text) + "`";
}
std::string quoted_code(std::string_view text) {
    return "`\"" + std::string(text) + "\"`";
}
std::string value_or_none(const std::string& text) {
    return text.empty() ? std::string() : quoted_code(text);
}
std::string duration_type(std::chrono::milliseconds min, std::chrono::milliseconds max) {
    return "duration, " + code(format_duration(min)) + " to " + code(format_duration(max));
}

std::string started_at(const std::string& path, const Place& place) {
    const std::filesystem::path target(path);
    if (path.empty() || target.is_absolute() || place.source.starts_with("--")) return path;
    return (std::filesystem::path(place.source).parent_path() / target).string();
}

}  // namespace

bool ConfigSection::string(std::string_view key, std::string& target) {
    const auto* value = take(key);
    if (value == nullptr) return false;
    if (const auto* text = value->get_if<std::string>()) {
        target = *text;
        return true;
    }
    const bool scalar = value->get_if<ConfigArray>() == nullptr && value->get_if<ConfigTable>() == nullptr;
    wrong_type(key, *value, "a string", scalar ? kInQuotes : "");
    return false;
}

bool ConfigSection::read(std::string_view key, std::string& target, const KeyDoc& doc) {
    note(key, doc, "string", value_or_none(target));
    return string(key, target);
}

bool ConfigSection::read(std::string_view key, std::optional<std::string>& target, const KeyDoc& doc) {
    auto text = target.value_or("");
    if (!read(key, text, doc)) return false;
    target = std::move(text);
    return true;
}

bool ConfigSection::read(std::string_view key, bool& target, const KeyDoc& doc) {
    note(key, doc, "boolean", code(target ? "true" : "false"));
    const auto* value = take(key);
    if (value == nullptr) return false;
    const auto* boolean = value->get_if<bool>();
    if (boolean == nullptr)
        wrong_type(key, *value, "true or false", "");
    else
        target = *boolean;
    return boolean != nullptr;
}

bool ConfigSection::duration(std::string_view key, std::chrono::milliseconds& target, std::chrono::milliseconds min,
                             std::chrono::milliseconds max) {
    const auto* value = take(key);
    if (value == nullptr) return false;
    const auto* text = value->get_if<std::string>();
    if (text == nullptr) {
        wrong_type(key, *value, "a duration", kDurationForm);
        return false;
    }
    const auto duration = parse_duration(*text);
    if (!duration) {
        error(key, in_quotes(*text) + " is not a duration", kDurationForm);
        return false;
    }
    if (*duration < min || *duration > max) {
        error(key, in_quotes(*text) + " is out of range",
              range(in_quotes(format_duration(min)), in_quotes(format_duration(max))));
        return false;
    }
    target = *duration;
    return true;
}

bool ConfigSection::read(std::string_view key, std::chrono::milliseconds& target, std::chrono::milliseconds min,
                         std::chrono::milliseconds max, const KeyDoc& doc) {
    note(key, doc, duration_type(min, max), quoted_code(format_duration(target)));
    return duration(key, target, min, max);
}

bool ConfigSection::read(std::string_view key, std::optional<std::chrono::milliseconds>& target,
                         std::chrono::milliseconds min, std::chrono::milliseconds max, std::string_view word,
                         const KeyDoc& doc) {
    note(key, doc, duration_type(min, max) + ", or " + quoted_code(word),
         quoted_code(target ? format_duration(*target) : std::string(word)));
    const auto* value = take(key);
    const auto* text = value == nullptr ? nullptr : value->get_if<std::string>();
    if (text != nullptr && *text == word) {
        target.reset();
        return true;
    }
    std::chrono::milliseconds given{};
    if (!duration(key, given, min, max)) return false;
    target = given;
    return true;
}

bool ConfigSection::read(std::string_view key, std::chrono::seconds& target, std::chrono::seconds min,
                         std::chrono::seconds max, const KeyDoc& doc) {
    std::chrono::milliseconds given(target);
    if (!read(key, given, min, max, doc)) return false;
    if (given % std::chrono::seconds(1) != std::chrono::milliseconds(0)) {
        error(key, in_quotes(format_duration(given)) + " is not a whole number of seconds");
        return false;
    }
    target = std::chrono::duration_cast<std::chrono::seconds>(given);
    return true;
}

bool ConfigSection::path(std::string_view key, std::string& target) {
    std::string path;
    if (!string(key, path)) return false;
    if (path.empty()) {
        error(key, "is empty", "name a path");
        return false;
    }
    target = started_at(path, place_of(key));
    return true;
}

bool ConfigSection::read_path(std::string_view key, std::string& target, const KeyDoc& doc) {
    note(key, doc, "path", value_or_none(target));
    return path(key, target);
}

bool ConfigSection::read_path(std::string_view key, std::optional<std::string>& target, const KeyDoc& doc) {
    auto path = target.value_or("");
    if (!read_path(key, path, doc)) return false;
    target = std::move(path);
    return true;
}

bool ConfigSection::read_ratio(std::string_view key, double& target, double min, double max, const KeyDoc& doc) {
    note(key, doc, "number, " + to_text(min) + " to " + to_text(max), code(to_text(target)));
    const auto* value = take(key);
    if (value == nullptr) return false;
    const auto* fraction = value->get_if<double>();
    const auto* whole = value->get_if<std::int64_t>();
    if (fraction == nullptr && whole == nullptr) {
        wrong_type(key, *value, "a number", range(to_text(min), to_text(max)));
        return false;
    }
    const double number = fraction != nullptr ? *fraction : static_cast<double>(*whole);
    if (!(number >= min && number <= max)) {
        error(key, to_text(number) + " is out of range", range(to_text(min), to_text(max)));
        return false;
    }
    target = number;
    return true;
}

bool ConfigSection::integer(std::string_view key, std::int64_t& target, std::int64_t min, std::int64_t max,
                            const KeyDoc& doc) {
    note(key, doc, std::to_string(min) + " to " + std::to_string(max), code(std::to_string(target)));
    const auto* value = take(key);
    if (value == nullptr) return false;
    const auto* number = value->get_if<std::int64_t>();
    if (number == nullptr) {
        wrong_type(key, *value, "a whole number", range(std::to_string(min), std::to_string(max)));
        return false;
    }
    if (*number < min || *number > max) {
        error(key, std::to_string(*number) + " is out of range", range(std::to_string(min), std::to_string(max)));
        return false;
    }
    target = *number;
    return true;
}

bool ConfigSection::size(std::string_view key, std::uint64_t& target, std::uint64_t min, std::uint64_t max,
                         const KeyDoc& doc) {
    note(key, doc, "size, " + code(format_size(min)) + " to " + code(format_size(max)),
         quoted_code(format_size(target)));
    const auto* value = take(key);
    if (value == nullptr) return false;
    const auto* text = value->get_if<std::string>();
    if (text == nullptr) {
        wrong_type(key, *value, "a size", kSizeForm);
        return false;
    }
    const auto bytes = parse_size(*text);
    if (bytes && *bytes >= min && *bytes <= max) {
        target = *bytes;
        return true;
    }
    if (!bytes)
        error(key, in_quotes(*text) + " is not a size", kSizeForm);
    else
        error(key, in_quotes(*text) + " is out of range",
              range(in_quotes(format_size(min)), in_quotes(format_size(max))));
    return false;
}

bool ConfigSection::choice(std::string_view key, const std::vector<std::string_view>& names, std::size_t& chosen,
                           const KeyDoc& doc) {
    std::string listed;
    for (const auto name : names) listed += (listed.empty() ? "" : ", ") + quoted_code(name);
    note(key, doc, listed, chosen < names.size() ? quoted_code(names[chosen]) : std::string());
    std::string text;
    if (!string(key, text)) return false;
    const auto found = std::find(names.begin(), names.end(), text);
    if (found != names.end()) {
        chosen = static_cast<std::size_t>(found - names.begin());
        return true;
    }
    std::string all;
    for (std::size_t i = 0; i < names.size(); ++i) {
        all += i == 0 ? "" : i + 1 == names.size() ? " or " : ", ";
        all += in_quotes(names[i]);
    }
    error(key, in_quotes(text) + " is not known", all);
    return false;
}

}  // namespace sluice::agent
