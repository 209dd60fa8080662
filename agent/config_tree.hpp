// config_tree.hpp: what stands in the configuration files, each key and value with its place.
//
// A tree of our own between the TOML library and those who read the configuration: the library is slow to compile
// and is included once (config_toml.cpp), and files and command line merge before anything is interpreted.
#pragma once

#include "agent/config_diagnostic.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace sluice::agent {

struct ConfigEntry;
struct ConfigValue;

/// A table's entries in the order of the file.
struct ConfigTable {
    std::vector<ConfigEntry> entries;

    [[nodiscard]] const ConfigEntry* find(std::string_view key) const;
    [[nodiscard]] ConfigEntry* find(std::string_view key);
};

/// A value of a kind that no key takes: a date or a time.
struct UnusedKind {
    std::string name;
};

using ConfigArray = std::vector<ConfigValue>;

struct ConfigValue {
    Place place;
    std::variant<std::string, std::int64_t, double, bool, UnusedKind, ConfigArray, ConfigTable> data;

    template <class T>
    [[nodiscard]] const T* get_if() const {
        return std::get_if<T>(&data);
    }
    /// A table, or an array of nothing but tables: what files may add to.
    [[nodiscard]] bool is_table_array() const;
};

struct ConfigEntry {
    std::string key;
    Place key_place;
    ConfigValue value;
};

/// "a string", "the integer 10", "an array": never what stands in a string, as that may be a secret.
[[nodiscard]] std::string describe(const ConfigValue& value);

/// Adds `from` to `into`: tables merge, arrays of tables append. A key that both give is an error naming both places.
void merge(ConfigTable& into, ConfigTable from, Diagnostics& diagnostics);

/// Lays `from` over `into`: tables merge, everything else replaces what was there. A table doesn't replace an array
/// of tables or a value, nor the other way round: that is an error.
void overlay(ConfigTable& into, ConfigTable from, Diagnostics& diagnostics);

}  // namespace sluice::agent
