#include "agent/signals.hpp"

#include <csignal>
#include <ctime>

namespace sluice::agent {

namespace {

sigset_t stop_signals() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    return set;
}

}  // namespace

Signals::Signals() {
    const auto set = stop_signals();
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    std::signal(SIGPIPE, SIG_IGN);  // a peer that closed its end is an error of the write, not of the process
}

bool Signals::wait_until(std::chrono::steady_clock::time_point when) {
    const auto set = stop_signals();
    while (!asked_) {
        const auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(when - std::chrono::steady_clock::now());
        const auto wait = left.count() > 0 ? left.count() : 0;
        const timespec timeout{static_cast<time_t>(wait / 1'000'000'000), static_cast<long>(wait % 1'000'000'000)};
        asked_ = sigtimedwait(&set, nullptr, &timeout) > 0;
        if (!asked_ && wait == 0) return false;
    }
    return true;
}

}  // namespace sluice::agent
