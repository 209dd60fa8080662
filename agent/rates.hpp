// rates.hpp: how fast records come and go, of the agent and of each stream, over the last seconds.
//
// One thread samples once a second, any thread reads.
#pragma once

#include "agent/snapshot.hpp"
#include "bridge/kafka/backlog.hpp"

#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <string>

namespace sluice::agent {

struct StreamRates {
    double appended_per_s = 0;
    double forwarded_per_s = 0;
    std::optional<double> drain_s;  ///< until the backlog is gone; nullopt: it doesn't shrink
};
struct Rates {
    double received_per_s = 0;
    double accepted_per_s = 0;
    double forwarded_per_s = 0;
    std::optional<double> drain_s;
    std::map<std::string, StreamRates> streams;
};

class RateBoard {
 public:
    using TimePoint = std::chrono::steady_clock::time_point;

    /// Whether a sample is due at `now`.
    [[nodiscard]] bool is_due(TimePoint now) const { return now >= next_; }
    void sample(const Snapshot& snapshot, TimePoint now);
    [[nodiscard]] Rates read() const;

 private:
    static constexpr std::chrono::milliseconds kWindow{10'000};
    static constexpr std::chrono::milliseconds kInterval{1000};

    TimePoint next_{};
    using Meter = bridge::kafka::BacklogMeter;
    Meter received_{std::chrono::milliseconds(0), kWindow};
    Meter accepted_{std::chrono::milliseconds(0), kWindow};
    std::map<std::string, Meter> meters_;  // of streams that stay here; the forwarder has those of the others
    mutable std::mutex mutex_;
    Rates rates_;
};

}  // namespace sluice::agent
