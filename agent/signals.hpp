// signals.hpp: SIGINT and SIGTERM as something to wait for. Blocked in all threads, so that no handler runs anywhere.
#pragma once

#include <chrono>

namespace sluice::agent {

class Signals {
 public:
    /// Blocks both in this thread and those that it starts: make it before any thread.
    Signals();

    /// Waits until `when`, or for a signal.
    /// @return true where a signal asks the process to end; from then on always
    [[nodiscard]] bool wait_until(std::chrono::steady_clock::time_point when);

 private:
    bool asked_ = false;
};

}  // namespace sluice::agent
