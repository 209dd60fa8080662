// alert.hpp: what a rule set says: an alert begins (firing) or ends (resolved).
//
// Identity: rule, device and start. The start is the time of the record, or the moment of silence, from which the
// condition held, never a clock's: a replay of the same records gives the same alerts.
#pragma once

#include "models/rules/program.hpp"
#include "models/time.hpp"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace sluice::models {

using Labels = std::vector<std::pair<std::string, std::string>>;  // in the order of the configuration

struct Alert {
    enum class Change : std::uint8_t { firing, resolved };
    enum class Reason : std::uint8_t {
        condition,     ///< it holds, or holds no more
        evicted,       ///< resolved: the device made room for another (max_devices)
        rule_removed,  ///< resolved: the rule isn't configured any more; severity, message and labels are empty
    };

    Change change = Change::firing;
    Reason reason = Reason::condition;
    std::string rule;
    std::string device;
    Time start;  ///< since when the condition holds, in the device's time
    Time at;     ///< when this change came about, in the device's time; firing: start + `for` or later
    std::string severity;
    std::string message;
    Labels labels;
    double value = 0;               ///< of the first comparison that holds, else of the first; NaN where there is none
    std::string condition;          ///< that comparison: "avg(temperature, 5m) > 80"
    std::string threshold;          ///< its right side: "> 80"
    Duration window{0};             ///< the longest window of the expression
    std::int64_t first_offset = 0;  ///< the record from which the condition held; of silence the last before it
    std::int64_t last_offset = 0;   ///< the newest record of the device that was seen when this change came about
    std::vector<rules::Observation> observations;  ///< all comparisons of the expression

    /// "rule/device/start in ms": equal for the two changes of one alert, and for its replay.
    [[nodiscard]] std::string id() const { return rule + '/' + device + '/' + std::to_string(to_ms(start)); }
};

}  // namespace sluice::models
