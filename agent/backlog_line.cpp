#include "agent/backlog_line.hpp"

#include <cmath>
#include <utility>

namespace sluice::agent {

namespace {

std::string whole_number(double value) {
    return std::to_string(std::llround(value));
}

std::string describe(const bridge::kafka::ForwarderStatus& status) {
    const auto& rates = status.rates;
    auto text = "backlog: " + std::to_string(status.backlog) + " records wait; " + whole_number(rates.arrival_per_s) +
                " a second come, " + whole_number(rates.drain_per_s) + " go; ";
    if (rates.drain_time) return text + "gone in " + rough_duration(*rates.drain_time);
    if (status.uplink.state == bridge::kafka::UplinkState::paused) return text + "the uplink is paused";
    if (status.uplink.state == bridge::kafka::UplinkState::outside_windows) return text + "outside of the windows";
    if (!status.outage) return text + "never gone at this rate";
    const auto expected = rates.expected_drain_time(status.backlog);
    return text + "the cluster is away" +
           (expected ? "; gone in " + rough_duration(*expected) + " once it is back" : "");
}

}  // namespace

std::string rough_duration(std::chrono::duration<double> duration) {
    constexpr long long kMinute = 60;
    constexpr long long kHour = 60 * kMinute;
    constexpr long long kDay = 24 * kHour;
    const auto seconds = static_cast<long long>(std::ceil(duration.count()));
    const auto two = [&](long long unit, const char* name, long long part, const char* part_name) {
        const auto parts = (seconds + part - 1) / part;
        const auto rest = parts % (unit / part);
        return std::to_string(parts / (unit / part)) + name + (rest > 0 ? " " + std::to_string(rest) + part_name : "");
    };
    if (seconds < 2 * kMinute) return std::to_string(seconds) + "s";
    if (seconds < kHour) return std::to_string((seconds + kMinute - 1) / kMinute) + "m";
    return seconds < kDay ? two(kHour, "h", kMinute, "m") : two(kDay, "d", kHour, "h");
}

std::optional<std::string> BacklogLine::due(const bridge::kafka::ForwarderStatus& status, TimePoint now) {
    if (status.backlog == 0 || status.rates.keeps_up) {
        next_.reset();
        return std::exchange(said_, false) ? std::optional<std::string>("the backlog is gone") : std::nullopt;
    }
    if (!next_) next_ = now + kInterval;  // one that is gone within a minute is not worth a line
    if (now < *next_) return std::nullopt;
    next_ = now + kInterval;
    said_ = true;
    return describe(status);
}

}  // namespace sluice::agent
