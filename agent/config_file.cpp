#include "agent/config_file.hpp"

#include "agent/config_read.hpp"
#include "agent/config_text_file.hpp"
#include "agent/config_toml.hpp"

#include <algorithm>
#include <filesystem>
#include <system_error>

namespace sluice::agent {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kConfigBytesMax = 1U << 20U;

/// The *.toml files of a directory, by name; what begins with a dot is an editor's.
std::vector<std::string> toml_files(const fs::path& directory, Diagnostics& diagnostics) {
    std::vector<std::string> files;
    std::error_code error;
    for (fs::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error)) {
        const auto name = entry->path().filename().string();
        if (name.ends_with(".toml") && !name.starts_with('.')) files.push_back(entry->path().string());
    }
    if (error) diagnostics.error({directory.string()}, "cannot list the directory: " + error.message());
    std::sort(files.begin(), files.end());
    return files;
}

/// Those of conf.d beside the file.
std::vector<std::string> drop_ins(const std::string& file, Diagnostics& diagnostics) {
    const auto directory = fs::path(file).parent_path() / "conf.d";
    std::error_code error;
    return fs::exists(directory, error) ? toml_files(directory, diagnostics) : std::vector<std::string>();
}

/// What rules.files names: files, and directories with all their *.toml.
std::vector<std::string> rules_files(const ConfigTable& tree, Diagnostics& diagnostics) {
    std::vector<std::string> files;
    const auto* section = tree.find("rules");
    const auto* table = section == nullptr ? nullptr : section->value.get_if<ConfigTable>();
    const auto* entry = table == nullptr ? nullptr : table->find("files");
    const auto* named = entry == nullptr ? nullptr : entry->value.get_if<ConfigArray>();
    if (named == nullptr) return files;  // not there, or the reader of the section says what is wrong
    for (const auto& value : *named) {
        const auto* text = value.get_if<std::string>();
        if (text == nullptr || text->empty()) continue;
        const auto path = fs::path(value.place.source).parent_path() / *text;
        std::error_code error;
        if (fs::is_directory(path, error)) {
            const auto inside = toml_files(path, diagnostics);
            files.insert(files.end(), inside.begin(), inside.end());
        } else {
            files.push_back(path.string());
        }
    }
    return files;
}

/// @return false where what the file says is not known
bool add_file(ConfigTable& tree, const std::string& file, Diagnostics& diagnostics) {
    const auto text = read_text_file(file, kConfigBytesMax);
    if (!text) {
        const auto& error = text.error();
        diagnostics.error({file}, error.code() ? "cannot be read: " + error.code().message() : error.message(),
                          error.code() == std::errc::permission_denied
                              ? "its user or group must be the one that runs this"
                              : "name a configuration file with --config FILE");
        return false;
    }
    auto parsed = parse_toml(*text, file, diagnostics);
    if (parsed) merge(tree, std::move(*parsed), diagnostics);
    return parsed.has_value();
}

/// --data-dir DIR is --set agent.data_dir=DIR, but never anything else than a string.
void add_option(ConfigTable& tree, const std::optional<std::string>& value, const char* key, const char* option,
                Diagnostics& diagnostics) {
    if (!value) return;
    const Place place{option};
    ConfigTable agent{{{key, place, {place, *value}}}};
    overlay(tree, {{{"agent", place, {place, std::move(agent)}}}}, diagnostics);
}

/// Everything that was said, in one tree; nullopt where part of it could not be read.
std::optional<ConfigTable> gather(const std::string& file, const ConfigOverrides& overrides, Diagnostics& diagnostics) {
    ConfigTable tree;
    bool complete = add_file(tree, file, diagnostics);
    for (const auto& drop_in : drop_ins(file, diagnostics)) {
        complete = add_file(tree, drop_in, diagnostics) && complete;
    }
    for (const auto& rules : rules_files(tree, diagnostics)) {
        complete = add_file(tree, rules, diagnostics) && complete;
    }
    add_option(tree, overrides.data_dir, "data_dir", "--data-dir", diagnostics);
    add_option(tree, overrides.id, "id", "--id", diagnostics);
    for (const auto& set : overrides.sets) {
        if (auto assignment = parse_assignment(set, diagnostics)) overlay(tree, std::move(*assignment), diagnostics);
    }
    return complete ? std::optional(std::move(tree)) : std::nullopt;
}

void flatten(const std::string& name, const ConfigTable& table, ConfigKeys& keys);

void flatten(const std::string& name, const ConfigValue& value, ConfigKeys& keys) {
    if (const auto* table = value.get_if<ConfigTable>()) return flatten(name + ".", *table, keys);
    if (const auto* array = value.get_if<ConfigArray>()) {
        for (std::size_t i = 0; i < array->size(); ++i)
            flatten(name + "[" + std::to_string(i) + "]", (*array)[i], keys);
        return;
    }
    if (const auto* text = value.get_if<std::string>()) keys[name] = "\"" + *text;
    if (const auto* integer = value.get_if<std::int64_t>()) keys[name] = std::to_string(*integer);
    if (const auto* number = value.get_if<double>()) keys[name] = std::to_string(*number);
    if (const auto* truth = value.get_if<bool>()) keys[name] = *truth ? "true" : "false";
}

void flatten(const std::string& name, const ConfigTable& table, ConfigKeys& keys) {
    for (const auto& entry : table.entries) flatten(name + entry.key, entry.value, keys);
}

Config read(ConfigSection& top) {
    Config config;
    read_agent(top, config);
    read_listener(top, config);
    read_sources(top, config);
    read_routes(top, config);
    read_streams(top, config);
    read_rules(top, config);
    read_storage(top, config);
    read_kafka(top, config);
    read_uplink(top, config);
    read_admin(top, config);
    top.refuse_unknown();
    return config;
}

}  // namespace

std::string LoadedConfig::text() const {
    std::string lines;
    for (const auto& error : errors) lines += to_string(error) + "\n";
    for (const auto& [place, what, todo] : warnings) {
        lines += to_string(Diagnostic{place, "warning: " + what, todo}) + "\n";
    }
    return lines;
}

LoadedConfig load_config(const std::string& file, const ConfigOverrides& overrides) {
    Diagnostics diagnostics;
    const auto tree = gather(file, overrides, diagnostics);
    LoadedConfig loaded;
    // What a file that can't be read would have said is unknown: to go on would report faults that are none.
    if (tree) {
        ConfigSection top({diagnostics}, &*tree, {file}, "", "");
        loaded.config = read(top);
        flatten("", *tree, loaded.keys);
    }
    if (diagnostics.has_errors()) loaded.config.reset();
    loaded.errors = diagnostics.errors();
    loaded.warnings = diagnostics.warnings();
    return loaded;
}

LoadedDataDir load_data_dir(const std::string& file) {
    Diagnostics diagnostics;
    const auto tree = gather(file, {}, diagnostics);
    LoadedDataDir loaded{Config().data_dir, {}};
    if (tree) {
        ConfigSection top({diagnostics}, &*tree, {file}, "", "");
        auto agent = subsection(top, "agent");
        read_data_dir(agent, loaded.data_dir);
    }
    loaded.errors = diagnostics.errors();
    return loaded;
}

LoadedRules load_rules(const std::string& file) {
    Diagnostics diagnostics;
    const auto tree = gather(file, {}, diagnostics);
    LoadedRules loaded;
    if (tree) {
        ConfigSection top({diagnostics}, &*tree, {file}, "", "");
        auto agent = subsection(top, "agent");
        read_data_dir(agent, loaded.data_dir);
        read_rules_alone(top, loaded.rules);
    }
    loaded.errors = diagnostics.errors();
    return loaded;
}

std::vector<ConfigKey> config_keys() {
    // The readers are let loose on one table of each kind that may be repeated or left out.
    Diagnostics diagnostics;
    const auto tree = parse_toml(
        "[listener.mqtt]\n[[source.mqtt]]\n[[route]]\n[stream.NAME]\n[[rule]]\n[[derive]]\n[kafka]\n", "", diagnostics);
    std::vector<ConfigKey> keys;
    ConfigSection top({diagnostics, &keys}, &*tree, {}, "", "");
    static_cast<void>(read(top));
    return keys;
}

}  // namespace sluice::agent
