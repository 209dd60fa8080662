// backlog_line.hpp: what the agent's log says of a backlog: once a minute while there is one, and when it is gone.
#pragma once

#include "bridge/kafka/forwarder.hpp"

#include <chrono>
#include <optional>
#include <string>

namespace sluice::agent {

/// "12s", "5m", "3h 20m", "4d 2h": rounded up, for people.
[[nodiscard]] std::string rough_duration(std::chrono::duration<double> duration);

class BacklogLine {
 public:
    using TimePoint = std::chrono::steady_clock::time_point;
    static constexpr auto kInterval = std::chrono::minutes(1);

    /// @return what is to be said now, or nullopt
    [[nodiscard]] std::optional<std::string> due(const bridge::kafka::ForwarderStatus& status, TimePoint now);

 private:
    std::optional<TimePoint> next_;  // while there is a backlog
    bool said_ = false;
};

}  // namespace sluice::agent
