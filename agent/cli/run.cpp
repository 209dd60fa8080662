// sluice run: the agent, until a signal asks it to end or its log fails.
#include "agent/cli/commands.hpp"
#include "agent/logging.hpp"
#include "agent/open_files.hpp"
#include "agent/signals.hpp"
#include "agent/supervisor.hpp"

#include <chrono>
#include <cstdlib>
#include <iostream>

namespace sluice::agent {

namespace {

constexpr auto kTick = std::chrono::milliseconds(200);

/// For where a thread can't be ended: what was acknowledged is durable, the rest comes again.
[[noreturn]] void leave(int code) {
    std::cerr.flush();
    std::_Exit(code);
}

}  // namespace

int run_command(const RunArguments& arguments) {
    Signals signals(Signals::Hangup::reloads);  // before any thread: they inherit what is blocked
    auto loaded = load_config(arguments.config.file, arguments.config.overrides);
    std::cerr << loaded.text();
    if (!loaded.config) return kExitBadConfig;
    auto& config = *loaded.config;
    const auto report = make_report(config.log_level, config.log_format);
    allow_open_files(config, report);

    auto agent = Supervisor::start(config, report);
    if (!agent) {
        std::cerr << "sluice: " << agent.error().message() << '\n';
        return kExitFailure;
    }
    report(bridge::Severity::info, "agent", "ready: id " + config.id + ", data in " + config.data_dir);
    while (!signals.wait_until(std::chrono::steady_clock::now() + kTick) && !(*agent)->fenced()) {
        if (signals.take_reload()) (*agent)->reload();
        (*agent)->tick();
        if ((*agent)->failed()) leave(kExitSyncFailed);
    }
    report(bridge::Severity::info, "agent", "stopping");
    const bool clean = (*agent)->stop();
    if ((*agent)->failed()) leave(kExitSyncFailed);
    report(bridge::Severity::info, "agent", "stopped");
    const int code = (*agent)->fenced() ? kExitFailure : kExitSuccess;
    if (!clean) leave(code);
    return code;
}

}  // namespace sluice::agent
