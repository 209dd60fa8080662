// config_section.hpp: reads the keys of one table of the configuration, and finds every fault in it.
//
// A key is known because somebody asked for it: the readers of sections are the only list of keys, and what
// is left over in the end is unknown. docs/configuration.md is written from what they ask for. A target is changed only
// by a value that is given and good; otherwise it keeps its default. Nothing is clamped: what is out of range is an
// error that names the range.
#pragma once

#include "agent/config_diagnostic.hpp"
#include "agent/config_reference.hpp"
#include "agent/config_tree.hpp"

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::agent {

struct ReadContext {
    Diagnostics& diagnostics;
    std::vector<ConfigKey>* keys = nullptr;  ///< where what is asked for is noted, for the reference
};

class ConfigSection {
 public:
    /// @param table   nullptr: the section is not there, and every key has its default
    /// @param place   where the section is, for what is missing in it
    /// @param path    "kafka", "source.mqtt"; empty for the top of the file
    /// @param title   "[kafka]", "[[source.mqtt]]", as people write it
    ConfigSection(const ReadContext& context, const ConfigTable* table, Place place, std::string path,
                  std::string title);

    [[nodiscard]] bool is_there() const { return table_ != nullptr; }
    [[nodiscard]] bool has(std::string_view key) const;
    /// Of the value where it is given, else of the section.
    [[nodiscard]] Place place_of(std::string_view key) const;
    [[nodiscard]] const ReadContext& context() const { return context_; }
    [[nodiscard]] std::string full_name(std::string_view key) const;

    // Each returns whether the key is given and good.
    bool read(std::string_view key, std::string& target, const KeyDoc& doc);
    bool read(std::string_view key, std::optional<std::string>& target, const KeyDoc& doc);
    bool read(std::string_view key, bool& target, const KeyDoc& doc);
    bool read(std::string_view key, std::chrono::milliseconds& target, std::chrono::milliseconds min,
              std::chrono::milliseconds max, const KeyDoc& doc);
    /// `word` stands for no limit: nullopt.
    bool read(std::string_view key, std::optional<std::chrono::milliseconds>& target, std::chrono::milliseconds min,
              std::chrono::milliseconds max, std::string_view word, const KeyDoc& doc);
    bool read(std::string_view key, std::chrono::seconds& target, std::chrono::seconds min, std::chrono::seconds max,
              const KeyDoc& doc);
    /// A file or directory. A relative one starts at the directory of the configuration file that names it;
    /// on the command line, at the current directory.
    bool read_path(std::string_view key, std::string& target, const KeyDoc& doc);
    bool read_path(std::string_view key, std::optional<std::string>& target, const KeyDoc& doc);
    template <class Integer>
    bool read_integer(std::string_view key, Integer& target, Integer min, Integer max, const KeyDoc& doc) {
        std::int64_t value = static_cast<std::int64_t>(target);
        const bool good = integer(key, value, static_cast<std::int64_t>(min), static_cast<std::int64_t>(max), doc);
        if (good) target = static_cast<Integer>(value);
        return good;
    }
    template <class Unsigned>
    bool read_size(std::string_view key, Unsigned& target, std::uint64_t min, std::uint64_t max, const KeyDoc& doc) {
        static_assert(std::numeric_limits<Unsigned>::max() >= (1ULL << 32U) - 1);
        std::uint64_t value = target;
        const bool good = size(key, value, min, max, doc);
        if (good) target = static_cast<Unsigned>(value);
        return good;
    }
    bool read_ratio(std::string_view key, double& target, double min, double max, const KeyDoc& doc);
    template <class Enum>
    bool read_choice(std::string_view key, Enum& target,
                     std::initializer_list<std::pair<std::string_view, Enum>> choices, const KeyDoc& doc) {
        std::vector<std::string_view> names;
        std::size_t chosen = choices.size();
        for (const auto& [name, value] : choices) {
            if (value == target) chosen = names.size();
            names.push_back(name);
        }
        const bool good = choice(key, names, chosen, doc);
        if (good) target = (choices.begin() + chosen)->second;
        return good;
    }

    /// The strings of an array of strings, which must not be empty; a fault is reported and left out.
    std::vector<const ConfigValue*> strings(std::string_view key, const KeyDoc& doc);
    /// The value of a key that is a table, or nullptr: its keys are the user's.
    const ConfigValue* table(std::string_view key, const KeyDoc& doc);
    /// A section within this one ([a.key]), or nullptr.
    const ConfigValue* table(std::string_view key);
    /// The tables of an array of tables ([[a.key]]).
    std::vector<const ConfigValue*> tables(std::string_view key);
    /// All entries, of a section whose keys the user names.
    [[nodiscard]] const std::vector<ConfigEntry>& entries() const;

    /// "a.key: what (todo)", at the key's value.
    void error(std::string_view key, const std::string& what, std::string todo = {});
    void warning(std::string_view key, const std::string& what, std::string todo = {});
    /// "[a] needs "key" (todo)", at the section.
    void missing(std::string_view key, std::string todo);
    /// Reports what nobody asked for. Called once, after all reading.
    void refuse_unknown();

 private:
    const ConfigValue* take(std::string_view key);
    void note(std::string_view key, const KeyDoc& doc, const std::string& type, const std::string& fallback = {});
    void wrong_type(std::string_view key, const ConfigValue& value, const std::string& wanted, std::string todo);
    bool string(std::string_view key, std::string& target);
    bool path(std::string_view key, std::string& target);
    bool duration(std::string_view key, std::chrono::milliseconds& target, std::chrono::milliseconds min,
                  std::chrono::milliseconds max);
    bool integer(std::string_view key, std::int64_t& target, std::int64_t min, std::int64_t max, const KeyDoc& doc);
    bool size(std::string_view key, std::uint64_t& target, std::uint64_t min, std::uint64_t max, const KeyDoc& doc);
    /// @param chosen  an index of `names`; that of none of them: no default
    bool choice(std::string_view key, const std::vector<std::string_view>& names, std::size_t& chosen,
                const KeyDoc& doc);

    ReadContext context_;
    const ConfigTable* table_;
    Place place_;
    std::string path_;
    std::string title_;
    std::vector<std::string> known_;
};

}  // namespace sluice::agent
