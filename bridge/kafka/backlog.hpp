// backlog.hpp: how fast records arrive and leave, and when the backlog will be gone.
//
// Rates are means over a window. It is longer than a transaction on a thin link takes (transaction_size.hpp), as the
// backlog shrinks in such steps, and what left before or during an outage doesn't count for what leaves after it.
// Formula: drain time = backlog / (drain rate - arrival rate), where that is positive (docs/uplink.md).
// No I/O; the time is an argument.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <vector>

namespace sluice::bridge::kafka {

using Seconds = std::chrono::duration<double>;

/// Of one stream, or of all together.
struct BacklogRates {
    double arrival_per_s = 0;        ///< records accepted into the log
    double arrival_bytes_per_s = 0;  ///< … their bytes, before compression
    double drain_per_s = 0;          ///< records that the cursor has passed: acknowledged by Kafka, or given up
    double drain_bytes_per_s = 0;    ///< … bytes of those that Kafka has acknowledged, before compression
    /// Whether what is left is only what has just come in: there is no backlog to speak of.
    bool keeps_up = false;
    /// Until the backlog is gone, at these rates: zero where it keeps up; nullopt: never, as no more leaves than
    /// arrives.
    std::optional<Seconds> drain_time;
    /// Records a second that left when there last was a backlog all the time: what the uplink can take. nullopt: not
    /// seen since the start. During an outage drain_per_s is 0, and this is what is to be expected after it.
    std::optional<double> capacity_per_s;

    /// Until a backlog of so many records would be gone if the uplink took what it has shown it can; nullopt: never, or
    /// it has not shown it yet.
    [[nodiscard]] std::optional<Seconds> expected_drain_time(std::uint64_t backlog) const;
};

class BacklogMeter {
 public:
    using TimePoint = std::chrono::steady_clock::time_point;
    static constexpr auto kWindow = std::chrono::seconds(30);

    struct Sample {
        TimePoint at;
        std::uint64_t arrived = 0;  ///< records in the log since any fixed moment
        std::uint64_t arrived_bytes = 0;
        std::uint64_t backlog = 0;  ///< records in the log and not forwarded
        std::uint64_t forwarded_bytes = 0;
    };

    /// @param live_within  a backlog of less than arrives in this time is none: it is only on its way
    explicit BacklogMeter(std::chrono::milliseconds live_within, std::chrono::milliseconds window = kWindow)
        : live_within_(live_within), window_(window) {}

    /// Takes a sample, later than the last one, and gives the rates over the window that ends with it.
    BacklogRates update(const Sample& sample);
    /// An outage begins or ends: what left before doesn't count for what leaves from now on.
    void turn() { turned_ = true; }

 private:
    [[nodiscard]] bool keeps_up(const Sample& sample, double arrival_per_s) const;

    const Seconds live_within_;
    const std::chrono::milliseconds window_;
    std::deque<Sample> samples_;
    std::deque<Sample> drain_samples_;  // since the last turn
    bool turned_ = false;
    std::optional<double> capacity_per_s_;
};

/// The meters of all streams and of their sum. update() and turn() on one thread, the rest on any.
class BacklogWatch {
 public:
    explicit BacklogWatch(std::chrono::milliseconds live_within) : live_within_(live_within), all_(live_within) {}

    /// One sample for each stream, always in the same order.
    void update(const std::vector<BacklogMeter::Sample>& samples);
    void turn();
    [[nodiscard]] BacklogRates rates(std::size_t stream) const;
    [[nodiscard]] BacklogRates all() const;

 private:
    const std::chrono::milliseconds live_within_;
    std::vector<BacklogMeter> streams_;
    BacklogMeter all_;
    mutable std::mutex mutex_;
    std::vector<BacklogRates> rates_;
    BacklogRates rates_of_all_;
};

}  // namespace sluice::bridge::kafka
