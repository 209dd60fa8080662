// signals.hpp: SIGINT, SIGTERM and SIGHUP as something to wait for. Blocked in all threads, so that no handler runs
// anywhere.
#pragma once

#include <chrono>

namespace sluice::agent {

class Signals {
 public:
    enum class Hangup { stops, reloads };

    /// Blocks them in this thread and those that it starts: make it before any thread.
    explicit Signals(Hangup hangup = Hangup::stops);

    /// Waits until `when`, or for a signal.
    /// @return true where a signal asks the process to end; from then on always
    [[nodiscard]] bool wait_until(std::chrono::steady_clock::time_point when);
    /// Whether a signal has asked for a reload since the last call.
    [[nodiscard]] bool take_reload();

 private:
    const Hangup hangup_;
    bool stop_asked_ = false;
    bool reload_asked_ = false;
};

}  // namespace sluice::agent
