#include "agent/config_section.hpp"

#include "models/nearest_name.hpp"

#include <algorithm>

namespace sluice::agent {

namespace {

constexpr const char* kNone = "none";
constexpr const char* kRequired = "required";

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

}  // namespace sluice::agent
