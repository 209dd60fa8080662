// pulse.hpp: whether the threads that move records still come round.
//
// The log thread is asked: a task is posted to it, and what counts is that it has run. A thread that waits in a sync
// for good, or for a lock, runs none. The forward thread tells itself each time it comes round. An idle thread passes:
// it answers, or has come round.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace sluice::agent {

class Pulse {
 public:
    using TimePoint = std::chrono::steady_clock::time_point;
    struct Parts {
        std::function<void(std::function<void()>)> post_to_log;
        std::function<std::optional<TimePoint>()> last_forward_turn;
    };
    static constexpr std::chrono::milliseconds kAskInterval{2000};
    /// Waiting for a cluster's answers, a position's and a fenced predecessor's, it may take minutes to come round.
    static constexpr std::chrono::minutes kForwardPatience{10};

    /// @param patience  how long the log thread may take: a sync of a bad card takes seconds
    Pulse(Parts parts, std::chrono::milliseconds patience);

    /// Which thread is stuck, for people; nullopt: none. Call it a few times a second, on one thread.
    [[nodiscard]] std::optional<std::string> stuck(TimePoint now);

 private:
    const Parts parts_;
    const std::chrono::milliseconds patience_;
    const std::shared_ptr<std::atomic<bool>> answered_;  // shared with a task that may run late, or never
    std::optional<TimePoint> asked_;
};

}  // namespace sluice::agent
