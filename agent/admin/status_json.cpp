#include "agent/admin/status_json.hpp"

#include "agent/admin/health.hpp"
#include "agent/text.hpp"

#include <nlohmann/json.hpp>

#include <cmath>

namespace sluice::agent::admin {

namespace {

using Json = nlohmann::ordered_json;

constexpr int kSchema = 1;
constexpr double kTenth = 10;

template <class T>
Json or_null(const std::optional<T>& value) {
    return value ? Json(*value) : Json(nullptr);
}

/// A rate with one decimal: more is noise.
double tenths(double value) {
    return std::round(value * kTenth) / kTenth;
}

Json drain_of(const std::optional<double>& seconds) {
    return seconds ? Json(tenths(*seconds)) : Json(nullptr);
}

void add_link(Json& json, bool connected, const bridge::LinkState::Reading& link) {
    json["connected"] = connected;
    json["since"] = format_time(std::chrono::time_point_cast<storage::Timestamp::duration>(link.since));
    json["why"] = connected || link.why.empty() ? Json(nullptr) : Json(link.why);
}

Json listener_json(const bridge::mqtt::Listener::Status& listener) {
    return {{"connections", listener.connections},
            {"sessions", listener.sessions},
            {"subscriptions", listener.subscriptions},
            {"retained", listener.retained},
            {"received", listener.received},
            {"accepted", listener.accepted},
            {"sent", listener.sent},
            {"dropped", listener.dropped},
            {"refused", listener.refused},
            {"not_authorized", listener.not_authorized},
            {"faults", listener.faults}};
}

Json uplink_json(const bridge::kafka::UplinkStatus& uplink) {
    using State = bridge::kafka::UplinkState;
    const auto time = [](const auto& at) {
        return at ? Json(format_time(std::chrono::time_point_cast<storage::Timestamp::duration>(*at))) : Json(nullptr);
    };
    const char* state = uplink.state == State::open ? "open" : uplink.state == State::paused ? "paused" : "closed";
    return {{"state", state},
            {"why", uplink.why.empty() ? Json(nullptr) : Json(uplink.why)},
            {"since", time(uplink.since)},
            {"opens_at", time(uplink.opens_at)},
            {"rate", or_null(uplink.rate)}};
}

Json kafka_json(const Snapshot& snapshot) {
    const auto& forwarder = *snapshot.forwarder;
    Json json = {{"brokers", snapshot.brokers}, {"delivery", snapshot.exactly_once ? "exactly-once" : "at-least-once"}};
    add_link(json, forwarder.connected, forwarder.link);
    json["uplink"] = uplink_json(forwarder.uplink);
    json["in_flight_bytes"] = forwarder.in_flight_bytes;
    json["producers_rebuilt"] = forwarder.producers_rebuilt;
    json["transactions_committed"] = forwarder.transactions_committed;
    json["transactions_aborted"] = forwarder.transactions_aborted;
    return json;
}

Json stream_json(const StreamSnapshot& stream, const StreamRates& rates) {
    Json json = {{"name", stream.name},
                 {"topic", or_null(stream.topic)},
                 {"log_start_offset", stream.log_start.value()},
                 {"high_watermark", stream.high_watermark.value()},
                 {"segments", stream.segments},
                 {"bytes", stream.bytes},
                 {"blocked", stream.blocked},
                 {"appended_per_second", tenths(rates.appended_per_s)}};
    if (!stream.forwarding) {
        json["forwarding"] = nullptr;
        return json;
    }
    const auto& forwarding = *stream.forwarding;
    json["forwarding"] = {
        {"cursor", forwarding.cursor.value()},           {"backlog", forwarding.backlog},
        {"drain_seconds", drain_of(rates.drain_s)},      {"forwarded", forwarding.forwarded},
        {"forwarded_bytes", forwarding.forwarded_bytes}, {"forwarded_per_second", tenths(rates.forwarded_per_s)},
        {"dead_lettered", forwarding.dead_lettered},     {"held", or_null(forwarding.held)}};
    return json;
}

Json rules_json(const RulesSnapshot& rules) {
    return {{"records", rules.records}, {"backlog", rules.backlog},
            {"devices", rules.devices}, {"alerts", rules.alerts},
            {"derived", rules.derived}, {"left_out", rules.left_out},
            {"firing", rules.firing},   {"firing_by_rule", rules.firing_by_rule}};
}

Json storage_json(const Snapshot& snapshot) {
    Json given_up = Json::object();
    for (std::size_t i = 0; i < kLossCauses; ++i) {
        given_up[std::string(to_string(static_cast<LossCause>(i)))] = snapshot.given_up[i];
    }
    return {{"used_bytes", snapshot.quota_used_bytes},
            {"quota_bytes", or_null(snapshot.quota_bytes)},
            {"commits", snapshot.commit.commits},
            {"dropped", snapshot.commit.records_dropped},
            {"given_up", std::move(given_up)},
            {"flash_bytes_today", or_null(snapshot.flash_bytes_today)},
            {"flash_days_left", or_null(snapshot.flash_days_left)}};
}

}  // namespace

Json status_json(const Snapshot& snapshot, const Rates& rates) {
    const auto health = judge(snapshot);
    const auto up = std::chrono::duration_cast<std::chrono::seconds>(snapshot.at - snapshot.process.started);
    Json json = {{"schema", kSchema},
                 {"time", format_time(snapshot.at)},
                 {"agent",
                  {{"id", snapshot.id},
                   {"version", snapshot.version},
                   {"started", format_time(snapshot.process.started)},
                   {"uptime_seconds", up.count()}}},
                 {"ready", health.ready()},
                 {"reasons", health.reasons},
                 {"notes", health.notes},
                 {"messages",
                  {{"received", snapshot.received()},
                   {"accepted", snapshot.accepted()},
                   {"forwarded", snapshot.forwarded()},
                   {"duplicates", snapshot.ingest.duplicates},
                   {"dead_lettered", snapshot.ingest.dead_lettered},
                   {"refused", snapshot.ingest.refused},
                   {"received_per_second", tenths(rates.received_per_s)},
                   {"accepted_per_second", tenths(rates.accepted_per_s)},
                   {"forwarded_per_second", tenths(rates.forwarded_per_s)}}},
                 {"backlog", {{"records", snapshot.backlog()}, {"drain_seconds", drain_of(rates.drain_s)}}}};
    json["listener"] = snapshot.listener ? listener_json(*snapshot.listener) : Json(nullptr);
    auto& sources = json["sources"] = Json::array();
    for (const auto& source : snapshot.sources) {
        Json one = {{"name", source.name}};
        add_link(one, source.connected, source.link);
        one["connections"] = source.connections;
        sources.push_back(std::move(one));
    }
    json["kafka"] = snapshot.forwarder ? kafka_json(snapshot) : Json(nullptr);
    json["rules"] = snapshot.rules ? rules_json(*snapshot.rules) : Json(nullptr);
    auto& streams = json["streams"] = Json::array();
    for (const auto& stream : snapshot.streams) {
        const auto found = rates.streams.find(stream.name);
        streams.push_back(stream_json(stream, found == rates.streams.end() ? StreamRates() : found->second));
    }
    json["storage"] = storage_json(snapshot);
    json["process"] = {{"cpu_seconds", snapshot.process.cpu_seconds},
                       {"resident_bytes", snapshot.process.resident_bytes},
                       {"open_fds", snapshot.process.open_fds},
                       {"threads", snapshot.process.threads}};
    return json;
}

std::string dump(const Json& json) {
    return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace sluice::agent::admin
