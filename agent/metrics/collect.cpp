#include "agent/metrics/collect.hpp"

#include "agent/admin/health.hpp"

namespace sluice::agent::metrics {

namespace {

constexpr double kSecondsADay = 86'400;
constexpr double kMilli = 1e3;

void add_messages(Samples& samples, const Snapshot& snapshot) {
    samples.add("sluice_messages_received", snapshot.received());
    samples.add("sluice_messages_accepted", snapshot.accepted());
    samples.add("sluice_messages_duplicate", snapshot.ingest.duplicates);
    samples.add("sluice_messages_dead_lettered", snapshot.ingest.dead_lettered);
    samples.add("sluice_messages_refused", snapshot.ingest.refused);
    if (!snapshot.sources.empty())
        samples.add("sluice_acknowledgement_latency_seconds", snapshot.source_latency, "broker");
    for (const auto& source : snapshot.sources) {
        samples.add_flag("sluice_source_connected", source.connected, source.name);
        samples.add("sluice_source_connections", source.connections, source.name);
    }
}

void add_listener(Samples& samples, const bridge::mqtt::Listener::Status& listener) {
    samples.add("sluice_acknowledgement_latency_seconds", listener.acknowledgement, "listener");
    samples.add("sluice_listener_connections", listener.connections);
    samples.add("sluice_listener_sessions", listener.sessions);
    samples.add("sluice_listener_subscriptions", listener.subscriptions);
    samples.add("sluice_listener_retained_messages", listener.retained);
    samples.add("sluice_listener_messages_received", listener.received);
    samples.add("sluice_listener_messages_sent", listener.sent);
    samples.add("sluice_listener_messages_dropped", listener.dropped);
    samples.add("sluice_listener_connections_refused", listener.refused);
    samples.add("sluice_listener_not_authorized", listener.not_authorized);
    samples.add("sluice_listener_protocol_errors", listener.faults);
}

void add_stream(Samples& samples, const StreamSnapshot& stream) {
    const auto count = [](storage::Offset offset) { return static_cast<std::uint64_t>(offset.value()); };
    samples.add("sluice_stream_bytes", stream.bytes, stream.name);
    samples.add("sluice_stream_segments", stream.segments, stream.name);
    samples.add("sluice_stream_log_start_offset", count(stream.log_start), stream.name);
    samples.add("sluice_stream_high_watermark", count(stream.high_watermark), stream.name);
    samples.add_flag("sluice_stream_blocked", stream.blocked, stream.name);
    if (!stream.forwarding) return;
    const auto& forwarding = *stream.forwarding;
    samples.add("sluice_stream_backlog_records", forwarding.backlog, stream.name);
    samples.add("sluice_stream_forwarded_records", forwarding.forwarded, stream.name);
    samples.add("sluice_stream_forwarded_bytes", forwarding.forwarded_bytes, stream.name);
    samples.add("sluice_stream_dead_lettered_records", forwarding.dead_lettered, stream.name);
    samples.add_flag("sluice_stream_held", forwarding.held.has_value(), stream.name);
    samples.add("sluice_delivery_delay_seconds", forwarding.delay, stream.name);
}

void add_rules(Samples& samples, const RulesSnapshot& rules) {
    samples.add("sluice_rules_records", rules.records);
    samples.add("sluice_rules_backlog_records", rules.backlog);
    samples.add("sluice_rules_devices", rules.devices);
    samples.add("sluice_rules_alerts", rules.alerts);
    samples.add("sluice_rules_derived_records", rules.derived);
    samples.add("sluice_rules_left_out_records", rules.left_out);
    for (const auto& [rule, firing] : rules.firing_by_rule) samples.add("sluice_alerts_firing", firing, rule);
}

void add_storage(Samples& samples, const Snapshot& snapshot) {
    samples.add("sluice_commits", snapshot.commit.commits);
    samples.add("sluice_commit_latency_seconds", snapshot.commit_latency);
    samples.add("sluice_appended_records", snapshot.commit.records_appended);
    samples.add("sluice_appended_bytes", snapshot.commit.bytes_appended);
    samples.add("sluice_dropped_records", snapshot.commit.records_dropped);
    for (std::size_t i = 0; i < kLossCauses; ++i) {
        const auto cause = static_cast<LossCause>(i);
        samples.add("sluice_given_up_records", snapshot.given_up[i], std::string(to_string(cause)));
    }
    samples.add("sluice_storage_used_bytes", snapshot.quota_used_bytes);
    if (snapshot.quota_bytes) samples.add("sluice_storage_quota_bytes", *snapshot.quota_bytes);
    samples.add("sluice_cleaner_passes", snapshot.cleaner.passes);
    samples.add("sluice_cleaner_freed_bytes", snapshot.cleaner.bytes_freed);
    samples.add("sluice_cleaner_rewritten_bytes", snapshot.cleaner.bytes_paced);
    samples.add("sluice_cleaner_failures", snapshot.cleaner.failures);
    if (snapshot.flash_bytes_today) samples.add("sluice_flash_written_today_bytes", *snapshot.flash_bytes_today);
    if (snapshot.flash_days_left) {
        samples.add("sluice_flash_life_left_seconds", *snapshot.flash_days_left * kSecondsADay);
    }
}

void add_kafka(Samples& samples, const bridge::kafka::ForwarderStatus& forwarder, bool exactly_once) {
    samples.add_flag("sluice_kafka_connected", forwarder.connected);
    samples.add("sluice_kafka_in_flight_bytes", static_cast<std::uint64_t>(forwarder.in_flight_bytes));
    samples.add("sluice_kafka_producers_rebuilt", forwarder.producers_rebuilt);
    if (!exactly_once) return;
    samples.add("sluice_kafka_transactions", forwarder.transactions_committed, "committed");
    samples.add("sluice_kafka_transactions", forwarder.transactions_aborted, "aborted");
}

void add_process(Samples& samples, const ProcessSnapshot& process) {
    samples.add("process_cpu_seconds", process.cpu_seconds);
    samples.add("process_resident_memory_bytes", process.resident_bytes);
    samples.add("process_open_fds", process.open_fds);
    samples.add("process_max_fds", process.max_fds);
    samples.add("process_threads", process.threads);
    samples.add("process_start_time_seconds", static_cast<double>(process.started.time_since_epoch().count()) / kMilli);
}

}  // namespace

Samples collect(const Snapshot& snapshot) {
    Samples samples;
    samples.add_flag("sluice_build_info", true, snapshot.version);
    samples.add_flag("sluice_ready", admin::judge(snapshot).ready());
    add_messages(samples, snapshot);
    if (snapshot.listener) add_listener(samples, *snapshot.listener);
    for (const auto& stream : snapshot.streams) add_stream(samples, stream);
    if (snapshot.rules) add_rules(samples, *snapshot.rules);
    add_storage(samples, snapshot);
    if (snapshot.forwarder) add_kafka(samples, *snapshot.forwarder, snapshot.exactly_once);
    add_process(samples, snapshot.process);
    return samples;
}

}  // namespace sluice::agent::metrics
