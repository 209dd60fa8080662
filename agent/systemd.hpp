// systemd.hpp: what the service manager is told. Where there is none, nothing is.
//
// Source: sd_notify(3), sd_watchdog_enabled(3).
#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace sluice::agent {

class Systemd {
 public:
    /// Reads WATCHDOG_USEC.
    Systemd();

    static void ready(const std::string& status);
    /// One line for `systemctl status`.
    void status(const std::string& text);
    static void reloading();
    static void stopping();
    /// The agent has made progress: the watchdog is fed, where one is wanted and it is time to.
    void feed(std::chrono::steady_clock::time_point now);
    /// How long the manager waits before it takes the agent for dead; nullopt: it doesn't watch.
    [[nodiscard]] std::optional<std::chrono::microseconds> watchdog() const { return watchdog_; }

 private:
    std::optional<std::chrono::microseconds> watchdog_;
    std::chrono::steady_clock::time_point next_feed_{};
    std::string told_;
};

}  // namespace sluice::agent
