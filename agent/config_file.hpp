// config_file.hpp: from files and command line to a checked Config, or to everything that is wrong with them.
//
// One file, then conf.d/*.toml beside it in the order of their names, then what the command line says. Nobody prints
// a password that stands there: neither the diagnostics nor the Config's printers do.
#pragma once

#include "agent/config.hpp"
#include "agent/config_diagnostic.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace sluice::agent {

/// What the command line sets, over what the files say.
struct ConfigOverrides {
    std::optional<std::string> data_dir;  ///< --data-dir, over agent.data_dir
    std::optional<std::string> id;        ///< --id, over agent.id
    std::vector<std::string> sets;        ///< --set KEY=VALUE, over everything
};

/// Every key that is given, with its value as text, which may be a secret: to be compared, never to be printed. An
/// element of an array of tables is "route[0].topic".
using ConfigKeys = std::map<std::string, std::string>;

struct LoadedConfig {
    std::optional<Config> config;  ///< nullopt: there are errors
    ConfigKeys keys;
    std::vector<Diagnostic> errors;
    std::vector<Diagnostic> warnings;

    /// One a line: errors as "file:line:column: what (what to do)", then warnings as "file:…: warning: what (…)".
    [[nodiscard]] std::string text() const;
};

[[nodiscard]] LoadedConfig load_config(const std::string& file, const ConfigOverrides& overrides);

struct LoadedDataDir {
    std::string data_dir;  ///< meaningful only without errors
    std::vector<Diagnostic> errors;
};
/// Only agent.data_dir: for tools that read the log, and shall do so where the rest of the configuration is at fault
/// or a password can't be read by who calls.
[[nodiscard]] LoadedDataDir load_data_dir(const std::string& file);

struct LoadedRules {
    RulesConfig rules;  ///< meaningful only without errors
    std::string data_dir = Config().data_dir;
    std::vector<Diagnostic> errors;
};
/// Only the rules, and agent.data_dir: a file may have nothing else in it.
[[nodiscard]] LoadedRules load_rules(const std::string& file);

}  // namespace sluice::agent
