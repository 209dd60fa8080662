// reload.hpp: takes over what has changed in the configuration and may change while the agent runs; all of it or
// nothing.
//
// Asked for by SIGHUP, `sluice reload` and POST /api/v1/reload. What can't change without a restart stays as it was,
// and is named. Users, ACL and certificates are read again whether their keys have changed or not.
#pragma once

#include "agent/cli/commands.hpp"
#include "agent/config_file.hpp"
#include "agent/reload_answer.hpp"
#include "bridge/report.hpp"
#include "storage/result.hpp"

#include <functional>
#include <mutex>
#include <set>
#include <string>

namespace sluice::agent {

/// The keys that have another value in `after`, or none, or a new one; elements of arrays by the array's name.
[[nodiscard]] std::set<std::string> changed_keys(const ConfigKeys& before, const ConfigKeys& after);
/// Whether a change of this key takes effect without a restart.
[[nodiscard]] bool is_reloadable(const std::string& key);

class Reloader {
 public:
    /// How a changed configuration is brought into force. Any thread.
    struct Parts {
        std::function<bool(const std::string& stream)> has_stream;
        std::function<storage::Result<void>(const Config&, bool routes)> apply;
        /// @return what brings it into force, which can't fail any more
        std::function<storage::Result<std::function<void()>>()> prepare_admin;
        std::function<void(bridge::Severity)> set_log_level;
    };

    /// @param keys  of the configuration that is in force
    Reloader(ConfigArguments arguments, ConfigKeys keys, Parts parts, bridge::Report report)
        : arguments_(std::move(arguments)),
          in_force_(std::move(keys)),
          parts_(std::move(parts)),
          report_(std::move(report)) {}

    /// Says how it went in the log too. Thread-safe: one after the other.
    ReloadAnswer reload();

 private:
    [[nodiscard]] ReloadAnswer try_reload();

    const ConfigArguments arguments_;
    std::mutex mutex_;
    ConfigKeys in_force_;
    const Parts parts_;
    const bridge::Report report_;
};

/// For people, one line.
[[nodiscard]] std::string describe(const ReloadAnswer& answer);

}  // namespace sluice::agent
