// admin.hpp: what the agent shows of itself: the paths of the router, what stands behind them, and the server.
//
// Paths: docs/admin.md. Made after the supervisor has started, and stopped before it stops.
#pragma once

#include "agent/admin/log_api.hpp"
#include "agent/admin/options.hpp"
#include "agent/admin/server.hpp"
#include "agent/history.hpp"
#include "agent/rates.hpp"
#include "agent/reload_answer.hpp"
#include "agent/snapshot.hpp"
#include "bridge/device_registry.hpp"
#include "bridge/report.hpp"
#include "storage/result.hpp"

#include <nlohmann/json_fwd.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace sluice::agent::admin {

/// What the paths ask of the agent. Called on the thread `admin`; what reads the log on `query`.
struct Subject {
    std::function<Snapshot()> snapshot;
    std::function<std::vector<bridge::Device>()> devices;
    std::function<nlohmann::ordered_json()> alerts;
    std::function<ReloadAnswer()> reload;
    std::function<storage::Result<void>(bool open)> set_uplink;  ///< false: paused
    std::function<nlohmann::ordered_json()> rules;               ///< as rules_json()
    LogSource logs;
};

/// All paths, for a subject that outlives the router.
[[nodiscard]] Router make_router(const AdminOptions& options, const Subject& subject, const RateBoard& rates,
                                 const History& history);

class Admin {
 public:
    [[nodiscard]] static storage::Result<std::unique_ptr<Admin>> start(const AdminOptions& options,
                                                                       const std::string& data_dir, Subject subject,
                                                                       bridge::Report report);
    Admin(const Admin&) = delete;
    Admin& operator=(const Admin&) = delete;

    /// Samples the rates when that is due: call it a few times a second.
    void tick();
    [[nodiscard]] storage::Result<std::function<void()>> prepare_reload() { return server_->prepare_reload(); }
    void stop() { server_->stop(); }

 private:
    explicit Admin(Subject subject);

    const Subject subject_;
    RateBoard rates_;
    History history_;
    std::unique_ptr<Server> server_;  // last: its thread uses the others
};

}  // namespace sluice::agent::admin
