// sluice run: the agent, until a signal asks it to end or its log fails.
#include "agent/admin/admin.hpp"
#include "agent/admin/health.hpp"
#include "agent/admin/rules_json.hpp"
#include "agent/cli/commands.hpp"
#include "agent/logging.hpp"
#include "agent/open_files.hpp"
#include "agent/pulse.hpp"
#include "agent/reload.hpp"
#include "agent/signals.hpp"
#include "agent/supervisor.hpp"
#include "agent/systemd.hpp"

#include <nlohmann/json.hpp>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <memory>

namespace sluice::agent {

namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr auto kTick = std::chrono::seconds(1);
constexpr auto kStatusInterval = std::chrono::seconds(5);
constexpr auto kPatienceUnwatched = std::chrono::seconds(30);

/// For where a thread can't be ended: what was acknowledged is durable, the rest comes again.
[[noreturn]] void leave(int code) {
    std::cerr.flush();
    std::_Exit(code);
}

/// One line for `systemctl status`.
std::string status_text(const Snapshot& snapshot) {
    const auto health = admin::judge(snapshot);
    if (!health.ready()) return "not ready: " + health.reasons.front();
    auto text = std::to_string(snapshot.accepted()) + " messages accepted, " + std::to_string(snapshot.forwarded()) +
                " forwarded, backlog " + std::to_string(snapshot.backlog());
    return health.notes.empty() ? text : text + "; " + health.notes.front();
}

/// What runs beside the supervisor, on the main thread but for what the admin thread asks.
class Daemon {
 public:
    Daemon(Supervisor& agent, std::shared_ptr<Logger> logger, const RunArguments& arguments, const LoadedConfig& loaded)
        : agent_(agent),
          logger_(std::move(logger)),
          report_(make_report(logger_)),
          pulse_({[this](std::function<void()> task) { agent_.post_to_log(std::move(task)); },
                  [this] { return agent_.last_forward_turn(); }},
                 patience(systemd_)),
          reloader_(arguments.config, loaded.keys,
                    {[this](const std::string& stream) { return agent_.has_stream(stream); },
                     [this](const Config& fresh, bool routes) { return agent_.reload(fresh, routes); },
                     [this] { return admin_->prepare_reload(); },
                     [this](bridge::Severity level) { logger_->set_level(level); }},
                    report_) {}

    storage::Result<void> start(const Config& config) {
        auto admin = admin::Admin::start(
            config.admin, config.data_dir,
            {[this] { return agent_.snapshot(); },
             [this] { return agent_.devices(); },
             [this] { return agent_.alerts(); },
             [this] { return reload(); },
             [this](bool open) { return open ? agent_.resume_uplink() : agent_.pause_uplink("by command"); },
             [rules = admin::rules_json(config.rules)] { return rules; },
             {config.data_dir, [this](const std::string& stream) { return agent_.find_log(stream); }}},
            report_);
        if (!admin) return admin.error();
        admin_ = std::move(*admin);
        Systemd::ready(status_text(agent_.snapshot()));
        return {};
    }

    ReloadAnswer reload() {
        Systemd::reloading();
        auto answer = reloader_.reload();
        Systemd::ready(status_text(agent_.snapshot()));
        return answer;
    }

    void tick() {
        logger_->tick();
        admin_->tick();
        const auto now = SteadyClock::now();
        if (const auto thread = pulse_.stuck(now); !thread) {
            stuck_said_ = false;
            systemd_.feed(now);
        } else if (!std::exchange(stuck_said_, true)) {
            report_(bridge::Severity::error, "agent",
                    "the thread \"" + *thread + "\" is stuck: the watchdog is not fed until it goes on");
        }
        if (now < next_status_) return;
        next_status_ = now + kStatusInterval;
        systemd_.status(status_text(agent_.snapshot()));
    }

    void stop() {
        Systemd::stopping();
        admin_->stop();
    }

 private:
    /// Stuck is noticed before the manager would have to.
    static std::chrono::milliseconds patience(const Systemd& systemd) {
        if (!systemd.watchdog()) return kPatienceUnwatched;
        return std::chrono::duration_cast<std::chrono::milliseconds>(*systemd.watchdog() / 2);
    }

    Supervisor& agent_;
    const std::shared_ptr<Logger> logger_;
    const bridge::Report report_;
    Systemd systemd_;
    Pulse pulse_;
    Reloader reloader_;
    std::unique_ptr<admin::Admin> admin_;
    SteadyClock::time_point next_status_{};
    bool stuck_said_ = false;
};

}  // namespace

int run_command(const RunArguments& arguments) {
    Signals signals(Signals::Hangup::reloads);  // before any thread: they inherit what is blocked
    auto loaded = load_config(arguments.config.file, arguments.config.overrides);
    std::cerr << loaded.text();
    if (!loaded.config) return kExitBadConfig;
    auto& config = *loaded.config;
    const auto logger = std::make_shared<Logger>(config.log_level, config.log_format);
    const auto report = make_report(logger);
    allow_open_files(config, report);

    auto agent = Supervisor::start(config, report);
    if (!agent) {
        std::cerr << "sluice: " << agent.error().message() << '\n';
        return kExitFailure;
    }
    Daemon daemon(**agent, logger, arguments, loaded);
    if (auto done = daemon.start(config); !done) {
        std::cerr << "sluice: " << done.error().message() << '\n';
        return kExitFailure;
    }
    report(bridge::Severity::info, "agent", "ready: id " + config.id + ", data in " + config.data_dir);
    while (!signals.wait_until(SteadyClock::now() + kTick) && !(*agent)->fenced()) {
        if (signals.take_reload()) static_cast<void>(daemon.reload());
        (*agent)->tick();
        daemon.tick();
        if ((*agent)->failed()) leave(kExitSyncFailed);
    }
    report(bridge::Severity::info, "agent", "stopping");
    daemon.stop();
    const bool clean = (*agent)->stop();
    if ((*agent)->failed()) leave(kExitSyncFailed);
    report(bridge::Severity::info, "agent", "stopped");
    const int code = (*agent)->fenced() ? kExitFenced : kExitSuccess;
    if (!clean) leave(code);
    return code;
}

}  // namespace sluice::agent
