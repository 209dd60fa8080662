#include "agent/config_tree.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace sluice::agent {

const ConfigEntry* ConfigTable::find(std::string_view key) const {
    const auto found =
        std::find_if(entries.begin(), entries.end(), [&](const ConfigEntry& entry) { return entry.key == key; });
    return found == entries.end() ? nullptr : &*found;
}

ConfigEntry* ConfigTable::find(std::string_view key) {
    return const_cast<ConfigEntry*>(std::as_const(*this).find(key));
}

bool ConfigValue::is_table_array() const {
    const auto* array = get_if<ConfigArray>();
    return array != nullptr && !array->empty() && std::all_of(array->begin(), array->end(), [](const auto& element) {
               return element.template get_if<ConfigTable>() != nullptr;
           });
}

std::string describe(const ConfigValue& value) {
    if (value.get_if<std::string>() != nullptr) return "a string";
    if (const auto* integer = value.get_if<std::int64_t>()) return "the integer " + std::to_string(*integer);
    if (value.get_if<double>() != nullptr) return "a number with a fraction";
    if (const auto* boolean = value.get_if<bool>()) return *boolean ? "true" : "false";
    if (const auto* unused = value.get_if<UnusedKind>()) return unused->name;
    if (value.get_if<ConfigArray>() != nullptr) return value.is_table_array() ? "an array of tables" : "an array";
    return "a table";
}

void merge(ConfigTable& into, ConfigTable from, Diagnostics& diagnostics) {
    for (auto& entry : from.entries) {
        auto* there = into.find(entry.key);
        if (there == nullptr) {
            into.entries.push_back(std::move(entry));
            continue;
        }
        auto* table = std::get_if<ConfigTable>(&there->value.data);
        auto* more = std::get_if<ConfigTable>(&entry.value.data);
        if (table != nullptr && more != nullptr) {
            merge(*table, std::move(*more), diagnostics);
        } else if (there->value.is_table_array() && entry.value.is_table_array()) {
            auto& elements = std::get<ConfigArray>(there->value.data);
            auto& added = std::get<ConfigArray>(entry.value.data);
            std::move(added.begin(), added.end(), std::back_inserter(elements));
        } else {
            diagnostics.error(entry.key_place, in_quotes(entry.key) + " is given twice",
                              "it is also at " + to_string(there->key_place) + "; keep one of the two");
        }
    }
}

void overlay(ConfigTable& into, ConfigTable from, Diagnostics& diagnostics) {
    for (auto& entry : from.entries) {
        auto* there = into.find(entry.key);
        if (there == nullptr) {
            into.entries.push_back(std::move(entry));
            continue;
        }
        auto* table = std::get_if<ConfigTable>(&there->value.data);
        auto* more = std::get_if<ConfigTable>(&entry.value.data);
        if (table != nullptr && more != nullptr) {
            overlay(*table, std::move(*more), diagnostics);
        } else if (table != nullptr || more != nullptr || there->value.is_table_array()) {
            diagnostics.error(entry.key_place,
                              "cannot set " + in_quotes(entry.key) + ", which is " + describe(there->value) + " at " +
                                  to_string(there->value.place),
                              "change it there");
        } else {
            *there = std::move(entry);
        }
    }
}

}  // namespace sluice::agent
