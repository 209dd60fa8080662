#include "agent/systemd.hpp"

#include "agent/text.hpp"

#include <systemd/sd-daemon.h>
#include <time.h>

#include <cstdint>

namespace sluice::agent {

namespace {

constexpr int kFeedsAnInterval = 4;

void notify(const std::string& text) {
    static_cast<void>(::sd_notify(0, text.c_str()));
}

}  // namespace

Systemd::Systemd() {
    std::uint64_t us = 0;
    if (::sd_watchdog_enabled(0, &us) > 0 && us > 0) watchdog_.emplace(us);
}

void Systemd::ready(const std::string& status) {
    notify("READY=1\nSTATUS=" + one_line(status));
}

void Systemd::status(const std::string& text) {
    if (text == told_) return;
    told_ = text;
    notify("STATUS=" + one_line(text));
}

void Systemd::reloading() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    const auto us =
        static_cast<std::uint64_t>(now.tv_sec) * 1'000'000U + static_cast<std::uint64_t>(now.tv_nsec) / 1000U;
    notify("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(us));
}

void Systemd::stopping() {
    notify("STOPPING=1\nSTATUS=stopping");
}

void Systemd::feed(std::chrono::steady_clock::time_point now) {
    if (!watchdog_ || now < next_feed_) return;
    next_feed_ = now + *watchdog_ / kFeedsAnInterval;
    notify("WATCHDOG=1");
}

}  // namespace sluice::agent
