#include "agent/reload.hpp"

#include "agent/text.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace sluice::agent {

namespace {

constexpr std::array<std::string_view, 10> kReloadable = {
    "agent.log_level",
    "listener.mqtt.max_connections",
    "listener.mqtt.max_connections_per_address",
    "listener.mqtt.max_connection_rate",
    "listener.mqtt.max_message_rate",
    "listener.mqtt.max_subscriptions",
    "listener.mqtt.anonymous",
    "listener.mqtt.password_file",
    "listener.mqtt.acl",
    "route",
};
constexpr std::array<std::string_view, 2> kReloadablePrefixes = {"listener.mqtt.tls.", "route."};

/// "route[0].topic" is of "route".
std::string array_of(const std::string& key) {
    return key.substr(0, key.find('['));
}

/// Brings the entries of `names` in `into` to what `from` has.
void take_over(ConfigKeys& into, const ConfigKeys& from, const std::set<std::string>& names) {
    std::erase_if(into, [&](const auto& entry) { return names.contains(array_of(entry.first)); });
    for (const auto& [key, value] : from) {
        if (names.contains(array_of(key))) into[key] = value;
    }
}

}  // namespace

std::set<std::string> changed_keys(const ConfigKeys& before, const ConfigKeys& after) {
    std::set<std::string> changed;
    const auto compare = [&](const ConfigKeys& these, const ConfigKeys& those) {
        for (const auto& [key, value] : these) {
            const auto other = those.find(key);
            if (other == those.end() || other->second != value) changed.insert(array_of(key));
        }
    };
    compare(before, after);
    compare(after, before);
    return changed;
}

bool is_reloadable(const std::string& key) {
    return std::find(kReloadable.begin(), kReloadable.end(), key) != kReloadable.end() ||
           std::any_of(kReloadablePrefixes.begin(), kReloadablePrefixes.end(),
                       [&](std::string_view prefix) { return key.starts_with(prefix); });
}

ReloadAnswer Reloader::reload() {
    const std::lock_guard lock(mutex_);
    auto answer = try_reload();
    report_(answer.done ? bridge::Severity::info : bridge::Severity::error, "agent", describe(answer));
    return answer;
}

ReloadAnswer Reloader::try_reload() {
    ReloadAnswer answer;
    const auto loaded = load_config(arguments_.file, arguments_.overrides);
    for (const auto& error : loaded.errors) answer.errors.push_back(to_string(error));
    if (!loaded.config) return answer;
    std::set<std::string> taken;
    for (const auto& key : changed_keys(in_force_, loaded.keys)) {
        if (is_reloadable(key))
            taken.insert(key);
        else
            answer.needs_restart.push_back(key);
    }
    for (const auto& route : loaded.config->routes) {
        if (parts_.has_stream(route.stream)) continue;
        if (taken.erase("route") > 0) answer.needs_restart.push_back("route (the stream " + route.stream + " is new)");
    }
    // What may fail comes first, and nothing of it takes effect until all of it is good.
    const auto take_over_admin = parts_.prepare_admin();
    if (!take_over_admin) {
        answer.errors.push_back("admin: " + take_over_admin.error().message());
        return answer;
    }
    if (const auto done = parts_.apply(*loaded.config, taken.contains("route")); !done) {
        answer.errors.push_back(done.error().message());
        return answer;
    }
    (*take_over_admin)();
    if (taken.contains("agent.log_level")) parts_.set_log_level(loaded.config->log_level);
    take_over(in_force_, loaded.keys, taken);
    answer.changed.assign(taken.begin(), taken.end());
    answer.done = true;
    return answer;
}

std::string describe(const ReloadAnswer& answer) {
    if (!answer.done) return "reload: nothing is changed: " + joined(answer.errors);
    std::string text = "reload: users, ACL and certificates are read again";
    if (!answer.changed.empty()) text += "; changed: " + joined(answer.changed);
    if (!answer.needs_restart.empty()) text += "; takes effect after a restart: " + joined(answer.needs_restart);
    return text;
}

}  // namespace sluice::agent
