#include "agent/config_reference.hpp"

#include "agent/reload.hpp"

#include <sstream>

namespace sluice::agent {

namespace {

constexpr std::string_view kBegin = "<!-- keys of ";
constexpr std::string_view kEnd = " -->";

bool is_row(std::string_view line) {
    return line.starts_with('|');
}

/// "agent.id" is of "agent", and "kafka.properties" of "kafka"; "listener.mqtt.tls.ca_file" is of "listener".
std::string section_of(const ConfigKey& key) {
    return key.name.substr(0, key.name.find('.'));
}

std::string table_of(const std::vector<ConfigKey>& keys, const std::string& section) {
    std::string rows;
    for (const auto& key : keys) {
        if (section_of(key) != section) continue;
        rows += "| `" + key.name + "` | " + key.type + " | " + key.fallback + " | " + key.meaning + " | " +
                (is_reloadable(key.name) ? "yes |\n" : "|\n");
    }
    return rows;
}

}  // namespace

std::string with_config_reference(const std::string& page) {
    const auto keys = config_keys();
    std::string out;
    std::istringstream lines(page);
    bool in_old_table = false;
    for (std::string line; std::getline(lines, line);) {
        in_old_table = in_old_table && is_row(line);
        if (!in_old_table) out += line + '\n';
        if (!line.starts_with(kBegin) || !line.ends_with(kEnd)) continue;
        in_old_table = true;
        out += "| key | type | default | meaning | reload |\n| --- | --- | --- | --- | --- |\n";
        std::istringstream sections(line.substr(kBegin.size(), line.size() - kBegin.size() - kEnd.size()));
        for (std::string section; sections >> section;) out += table_of(keys, section);
    }
    return out;
}

}  // namespace sluice::agent
