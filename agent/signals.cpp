#include "agent/signals.hpp"

#include <csignal>
#include <ctime>
#include <utility>

namespace sluice::agent {

namespace {

sigset_t our_signals() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    return set;
}

}  // namespace

Signals::Signals(Hangup hangup) : hangup_(hangup) {
    const auto set = our_signals();
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    std::signal(SIGPIPE, SIG_IGN);  // a peer that closed its end is an error of the write, not of the process
}

bool Signals::wait_until(std::chrono::steady_clock::time_point when) {
    const auto set = our_signals();
    while (!stop_asked_ && !reload_asked_) {
        const auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(when - std::chrono::steady_clock::now());
        const auto wait = left.count() > 0 ? left.count() : 0;
        const timespec timeout{static_cast<time_t>(wait / 1'000'000'000), static_cast<long>(wait % 1'000'000'000)};
        const int signal = sigtimedwait(&set, nullptr, &timeout);
        const bool reload = signal == SIGHUP && hangup_ == Hangup::reloads;
        reload_asked_ = reload;
        stop_asked_ = signal > 0 && !reload;
        if (signal <= 0 && wait == 0) return false;
    }
    return stop_asked_;
}

bool Signals::take_reload() {
    return std::exchange(reload_asked_, false);
}

}  // namespace sluice::agent
