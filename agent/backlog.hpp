// backlog.hpp: how fast records arrive and leave, and when the backlog will be gone.
//
// Rates are means over a short window, so that they follow an outage within seconds and don't flicker.
// Formula: drain time = backlog / (drain rate - arrival rate), where that is positive (docs/architecture.md).
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>

namespace sluice::agent {

class BacklogMeter {
 public:
    using TimePoint = std::chrono::steady_clock::time_point;

    struct Sample {
        TimePoint at;
        std::uint64_t accepted = 0;   ///< records in the log since the start
        std::uint64_t forwarded = 0;  ///< records that Kafka has acknowledged since the start
        std::uint64_t backlog = 0;    ///< records in the log and not forwarded
    };
    struct Rates {
        double accepted_per_s = 0;
        double forwarded_per_s = 0;
        /// nullopt: at these rates the backlog doesn't shrink.
        std::optional<std::chrono::duration<double>> drain_time;
    };

    explicit BacklogMeter(std::chrono::milliseconds window) : window_(window) {}

    /// Takes a sample, later than the last one, and gives the rates over the window that ends with it.
    Rates update(const Sample& sample);

 private:
    std::chrono::milliseconds window_;
    std::deque<Sample> samples_;
};

}  // namespace sluice::agent
