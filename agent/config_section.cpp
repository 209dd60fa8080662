#include "agent/config_section.hpp"

#include "agent/config_names.hpp"
#include "agent/config_units.hpp"
#include "models/nearest_name.hpp"

#include <algorithm>
#include <filesystem>
#include <sstream>

namespace sluice::agent {

namespace {

constexpr const char* kInQuotes = "put it in quotes";
constexpr const char* kDurationForm = "a whole number and ms, s, m, h or d, such as \"10s\"";
constexpr const char* kSizeForm = "a whole number and B, KiB, MiB, GiB, TiB, KB, MB, GB or TB, such as \"16MiB\"";

constexpr const char* kNone = "none";
constexpr const char* kRequired = "required";

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

ConfigSection::ConfigSection(const ReadContext& context, const ConfigTable* table, Place place, std::string path,
                             std::string title)
    : context_(context), table_(table), place_(std::move(place)), path_(std::move(path)), title_(std::move(title)) {}

bool ConfigSection::has(std::string_view key) const {
    return table_ != nullptr && table_->find(key) != nullptr;
}

Place ConfigSection::place_of(std::string_view key) const {
    const auto* entry = table_ == nullptr ? nullptr : table_->find(key);
    return entry == nullptr ? place_ : entry->value.place;
}

std::string ConfigSection::full_name(std::string_view key) const {
    return path_.empty() ? std::string(key) : path_ + "." + std::string(key);
}

const ConfigValue* ConfigSection::take(std::string_view key) {
    if (std::find(known_.begin(), known_.end(), key) == known_.end()) known_.emplace_back(key);
    const auto* entry = table_ == nullptr ? nullptr : table_->find(key);
    return entry == nullptr ? nullptr : &entry->value;
}

void ConfigSection::note(std::string_view key, const KeyDoc& doc, const std::string& type,
                         const std::string& fallback) {
    if (context_.keys == nullptr) return;
    auto shown = doc.fallback.empty() ? fallback : std::string(doc.fallback);
    if (shown.empty()) shown = kNone;
    context_.keys->push_back(
        {full_name(key), doc.kind.empty() ? type : std::string(doc.kind), std::move(shown), std::string(doc.meaning)});
}

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

std::vector<const ConfigValue*> ConfigSection::strings(std::string_view key, const KeyDoc& doc) {
    note(key, doc, "array of strings");
    std::vector<const ConfigValue*> texts;
    const auto* value = take(key);
    if (value == nullptr) return texts;
    const auto* array = value->get_if<ConfigArray>();
    if (array == nullptr) {
        const bool text = value->get_if<std::string>() != nullptr;
        wrong_type(key, *value, "an array of strings", text ? "put it in brackets: [\"…\"]" : "");
        return texts;
    }
    if (array->empty()) error(key, "is empty", "name at least one");
    for (const auto& element : *array) {
        if (element.get_if<std::string>() != nullptr)
            texts.push_back(&element);
        else
            context_.diagnostics.error(element.place, full_name(key) + " wants strings, not " + describe(element));
    }
    return texts;
}

const ConfigValue* ConfigSection::table(std::string_view key, const KeyDoc& doc) {
    note(key, doc, "table");
    return table(key);
}

const ConfigValue* ConfigSection::table(std::string_view key) {
    const auto* value = take(key);
    if (value == nullptr || value->get_if<ConfigTable>() != nullptr) return value;
    wrong_type(key, *value, "a table", value->is_table_array() ? "write [" + full_name(key) + "] once" : "");
    return nullptr;
}

std::vector<const ConfigValue*> ConfigSection::tables(std::string_view key) {
    std::vector<const ConfigValue*> tables;
    const auto* value = take(key);
    if (value == nullptr) return tables;
    const auto* array = value->get_if<ConfigArray>();
    if (array == nullptr || (!array->empty() && !value->is_table_array())) {
        wrong_type(key, *value, "an array of tables", "write [[" + full_name(key) + "]]");
        return tables;
    }
    for (const auto& element : *array) tables.push_back(&element);
    return tables;
}

const std::vector<ConfigEntry>& ConfigSection::entries() const {
    static const std::vector<ConfigEntry> none;
    return table_ == nullptr ? none : table_->entries;
}

void ConfigSection::error(std::string_view key, const std::string& what, std::string todo) {
    context_.diagnostics.error(place_of(key), full_name(key) + ": " + what, std::move(todo));
}

void ConfigSection::warning(std::string_view key, const std::string& what, std::string todo) {
    context_.diagnostics.warning(place_of(key), full_name(key) + ": " + what, std::move(todo));
}

void ConfigSection::missing(std::string_view key, std::string todo) {
    context_.diagnostics.error(place_, title_ + " needs " + in_quotes(key), std::move(todo));
    if (context_.keys == nullptr) return;
    for (auto& noted : *context_.keys) {
        if (noted.name == full_name(key) && noted.fallback == kNone) noted.fallback = kRequired;
    }
}

void ConfigSection::refuse_unknown() {
    for (const auto& entry : entries()) {
        if (std::find(known_.begin(), known_.end(), entry.key) != known_.end()) continue;
        const auto nearest = models::nearest_name(entry.key, known_);
        std::string what = "unknown key " + in_quotes(entry.key);
        if (!title_.empty()) what += " in " + title_;
        context_.diagnostics.error(
            entry.key_place, what,
            nearest ? "did you mean " + in_quotes(*nearest) + "?" : "it is not known to this version of sluice");
    }
}

void ConfigSection::wrong_type(std::string_view key, const ConfigValue& value, const std::string& wanted,
                               std::string todo) {
    context_.diagnostics.error(value.place, full_name(key) + " wants " + wanted + ", not " + describe(value),
                               std::move(todo));
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
