// alert_record.hpp: an alert as a record of the stream `alerts`: JSON for whoever reads it, and where in the stream of
// the rule it came about, for ourselves.
//
// Why the position travels in the record: after a crash the records since the last snapshot are evaluated again and
// give the same alerts again. Those up to the last position that the alerts' log has are dropped. The log keeps their
// order and loses only its end, so that this one position says it all, and log and snapshot never have to agree. The
// logs of derived streams do the same, each for itself.
// Formats: docs/rules.md (JSON), docs/log-format.md section 2 (header).
#pragma once

#include "models/alert.hpp"
#include "storage/log.hpp"
#include "storage/record.hpp"
#include "storage/types.hpp"

#include <nlohmann/json.hpp>

#include <compare>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::agent {

/// Rises from alert to alert of a stream's rules, and from record to record of a stream that is derived; a replay gives
/// each the same.
struct AlertPosition {
    std::int64_t next = 0;         ///< the record before this offset was the last that had been evaluated
    std::int64_t advanced_ms = 0;  ///< 0: that record caused it; else time went on to here, and kRulesChanged
    std::uint32_t number = 0;      ///< of several of the same moment in the same log
    auto operator<=>(const AlertPosition&) const = default;  // NOLINT(modernize-use-nullptr)
};
/// The alert ended because its rule isn't there any more, or its state.
inline constexpr std::int64_t kRulesChanged = std::numeric_limits<std::int64_t>::max();

/// The value of the record.
[[nodiscard]] nlohmann::ordered_json alert_json(const models::Alert& alert, const std::string& stream);
/// "DEVICE/RULE", the record's key and the end of its MQTT topic.
[[nodiscard]] std::string alert_key(std::string_view device, std::string_view rule);

/// @param json  of the alert
[[nodiscard]] storage::Record alert_record(const nlohmann::ordered_json& json, storage::Timestamp timestamp,
                                           const std::string& stream, const storage::LogId& log_id,
                                           const AlertPosition& position);

/// What the logs of alerts and derived streams say of one stream's rules, from some offset on.
struct AlertsSeen {
    struct Advance {
        std::int64_t next;
        std::int64_t to_ms;
        auto operator<=>(const Advance&) const = default;  // NOLINT(modernize-use-nullptr)
    };
    std::optional<AlertPosition> last;                     ///< all up to it are there
    std::map<std::string, AlertPosition> derived;          ///< by stream: all up to it are there
    std::vector<Advance> advances;                         ///< moments at which time alone caused one, in order
    std::map<std::string, std::string> newest;             ///< by key, the newest alert's JSON
    std::map<std::string, nlohmann::ordered_json> firing;  ///< by id, what has begun and not ended
    std::vector<std::string> ended_by_change;              ///< ids of alerts that ended with their rule
};

/// Says in a record's headers where in the stream of the rule it came about.
void add_position(storage::Record& record, const std::string& stream, const storage::LogId& log_id,
                  const AlertPosition& position);

/// Reads up to the high watermark.
[[nodiscard]] storage::Result<AlertsSeen> read_alerts(const storage::Log& alerts, storage::Offset from,
                                                      const std::string& stream, const storage::LogId& log_id);
/// Adds what the log of a stream says that is derived from `stream`.
[[nodiscard]] storage::Result<void> read_derived(const storage::Log& derived, storage::Offset from,
                                                 const std::string& stream, const storage::LogId& log_id,
                                                 AlertsSeen& seen);

}  // namespace sluice::agent
