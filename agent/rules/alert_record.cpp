#include "agent/rules/alert_record.hpp"

#include "agent/text.hpp"
#include "models/rules/message.hpp"
#include "storage/log_reader.hpp"

#include <algorithm>
#include <cmath>
#include <sstream>

namespace sluice::agent {

namespace {

using nlohmann::ordered_json;

const std::string kHeader = std::string(storage::kInternalHeaderPrefix) + "rules";

const char* name_of(models::Alert::Reason reason) {
    switch (reason) {
        case models::Alert::Reason::condition:
            return "condition";
        case models::Alert::Reason::evicted:
            return "evicted";
        case models::Alert::Reason::rule_removed:
            return "rule_removed";
    }
    return "";
}

ordered_json number_or_null(double value) {
    return std::isfinite(value) ? ordered_json(value) : ordered_json(nullptr);
}

/// "STREAM LOG-ID NEXT ADVANCED NUMBER"
std::optional<AlertPosition> position_of(std::string_view header, const std::string& stream, const std::string& id) {
    std::istringstream words{std::string(header)};
    std::string of_stream;
    std::string of_id;
    AlertPosition position;
    words >> of_stream >> of_id >> position.next >> position.advanced_ms >> position.number;
    if (!words || of_stream != stream || of_id != id) return std::nullopt;
    return position;
}

void note_advance(AlertsSeen& seen, const AlertPosition& position) {
    if (position.advanced_ms == 0 || position.advanced_ms == kRulesChanged) return;
    const AlertsSeen::Advance advance{position.next, position.advanced_ms};
    const auto at = std::lower_bound(seen.advances.begin(), seen.advances.end(), advance);
    if (at == seen.advances.end() || *at != advance) seen.advances.insert(at, advance);
}

void note(AlertsSeen& seen, const AlertPosition& position, const storage::RecordView& record) {
    if (!seen.last || position > *seen.last) seen.last = position;
    note_advance(seen, position);
    auto json = ordered_json::parse(record.value.value_or(""), nullptr, false);
    if (!json.is_object() || !json.contains("id") || !json.contains("state")) return;
    const std::string id = json["id"];
    seen.newest[std::string(record.key.value_or(""))] = *record.value;
    if (json["state"] == "firing") {
        seen.firing[id] = std::move(json);
    } else {
        seen.firing.erase(id);
        if (position.advanced_ms == kRulesChanged) seen.ended_by_change.push_back(id);
    }
}

/// Calls `visit(position, record)` for the records up to the high watermark that the rules of `stream` wrote.
template <class Visit>
storage::Result<void> each_position(const storage::Log& log, storage::Offset from, const std::string& stream,
                                    const storage::LogId& log_id, Visit visit) {
    const auto id = log_id.to_string();
    storage::LogReader reader(log, from);
    for (;;) {
        const auto batch = reader.next();
        if (!batch) return batch.error();
        if (!*batch) return {};
        for (const auto& record : (*batch)->records()) {
            const auto header = storage::find_header(record, kHeader);
            const auto position = header ? position_of(*header, stream, id) : std::nullopt;
            if (position) visit(*position, record);
        }
    }
}

}  // namespace

ordered_json alert_json(const models::Alert& alert, const std::string& stream) {
    const bool firing = alert.change == models::Alert::Change::firing;
    ordered_json json;
    json["id"] = alert.id();
    json["state"] = firing ? "firing" : "resolved";
    if (!firing) json["reason"] = name_of(alert.reason);
    json["rule"] = alert.rule;
    json["device"] = alert.device;
    json["stream"] = stream;
    json["severity"] = alert.severity;
    json["message"] = alert.message;
    json["start"] = format_time(alert.start);
    json["at"] = format_time(alert.at);
    json["value"] = number_or_null(alert.value);
    json["threshold"] = alert.threshold;
    json["condition"] = alert.condition;
    json["window"] = models::rules::format_duration(alert.window);
    json["first_offset"] = alert.first_offset;
    json["last_offset"] = alert.last_offset;
    json["labels"] = ordered_json::object();
    for (const auto& [name, value] : alert.labels) json["labels"][name] = value;
    json["observations"] = ordered_json::array();
    for (const auto& o : alert.observations) {
        json["observations"].push_back(
            {{"of", o.text}, {"threshold", o.threshold}, {"value", number_or_null(o.value)}, {"holds", o.holds}});
    }
    return json;
}

std::string alert_key(std::string_view device, std::string_view rule) {
    return std::string(device) + '/' + std::string(rule);
}

storage::Record alert_record(const ordered_json& json, storage::Timestamp timestamp, const std::string& stream,
                             const storage::LogId& log_id, const AlertPosition& position) {
    storage::Record record;
    record.key = alert_key(json["device"].get<std::string>(), json["rule"].get<std::string>());
    record.value = json.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
    record.timestamp = timestamp;
    add_position(record, stream, log_id, position);
    return record;
}

void add_position(storage::Record& record, const std::string& stream, const storage::LogId& log_id,
                  const AlertPosition& position) {
    record.headers.push_back({kHeader, stream + ' ' + log_id.to_string() + ' ' + std::to_string(position.next) + ' ' +
                                           std::to_string(position.advanced_ms) + ' ' +
                                           std::to_string(position.number)});
}

storage::Result<AlertsSeen> read_alerts(const storage::Log& alerts, storage::Offset from, const std::string& stream,
                                        const storage::LogId& log_id) {
    AlertsSeen seen;
    const auto done = each_position(alerts, from, stream, log_id,
                                    [&](const auto& position, const auto& record) { note(seen, position, record); });
    if (!done) return done.error();
    return seen;
}

storage::Result<void> read_derived(const storage::Log& derived, storage::Offset from, const std::string& stream,
                                   const storage::LogId& log_id, AlertsSeen& seen) {
    return each_position(derived, from, stream, log_id, [&](const auto& position, const auto&) {
        auto& last = seen.derived[derived.name()];
        last = std::max(last, position);
        note_advance(seen, position);
    });
}

}  // namespace sluice::agent
