#include "agent/metrics/families.hpp"

#include <array>

namespace sluice::agent::metrics {

namespace {

constexpr auto kCounter = Type::counter;
constexpr auto kGauge = Type::gauge;
constexpr auto kHistogram = Type::histogram;

constexpr std::array kFamilies = {
    Family{"sluice_build_info", kGauge, "", "version", "1, with the version of the agent."},
    Family{"sluice_ready", kGauge, "", "", "1 where messages are accepted, as /readyz says."},

    Family{"sluice_messages_received", kCounter, "", "",
           "Messages that have arrived and are not for local use only, and those that are."},
    Family{"sluice_messages_accepted", kCounter, "", "",
           "Messages that were kept, as safe as their stream's durability says, or are local only."},
    Family{"sluice_messages_duplicate", kCounter, "", "", "Messages of QoS 2 that had been accepted before."},
    Family{"sluice_messages_dead_lettered", kCounter, "", "",
           "Messages that no route took or that were too large, in the stream sluice.dead-letter."},
    Family{"sluice_messages_refused", kCounter, "", "", "Messages too large for any record, even shortened: lost."},
    Family{"sluice_acknowledgement_latency_seconds", kHistogram, "seconds", "way",
           "From the arrival of a message of QoS 1 or 2 to its acknowledgement, by way in: listener, or a broker that "
           "we subscribe to."},

    Family{"sluice_source_connected", kGauge, "", "source", "1 where the source is connected and subscribed."},
    Family{"sluice_source_connections", kCounter, "", "source", "Connections that were made to the source's broker."},

    Family{"sluice_listener_connections", kGauge, "", "", "Clients that are connected to the agent's own listener."},
    Family{"sluice_listener_sessions", kGauge, "", "", "Sessions, with and without a connection."},
    Family{"sluice_listener_subscriptions", kGauge, "", "", "Subscriptions of all sessions."},
    Family{"sluice_listener_retained_messages", kGauge, "", "", "Retained messages."},
    Family{"sluice_listener_messages_received", kCounter, "", "", "Messages from clients."},
    Family{"sluice_listener_messages_sent", kCounter, "", "", "Messages to subscribers."},
    Family{"sluice_listener_messages_dropped", kCounter, "", "",
           "Messages to subscribers that found a full queue, a client's limit, or have expired."},
    Family{"sluice_listener_connections_refused", kCounter, "", "", "Connections and logins that were refused."},
    Family{"sluice_listener_not_authorized", kCounter, "", "",
           "Publishes and subscriptions that the access rules forbid."},
    Family{"sluice_listener_protocol_errors", kCounter, "", "", "Connections that broke the protocol."},

    Family{"sluice_commits", kCounter, "", "", "Group commits: a batch of one stream, written and synced."},
    Family{"sluice_commit_latency_seconds", kHistogram, "seconds", "",
           "Of one commit: from when its records were taken from the queue until they were durable."},
    Family{"sluice_appended_records", kCounter, "", "", "Records that were appended to the logs."},
    Family{"sluice_appended_bytes", kCounter, "bytes", "", "Bytes of these records, before compression."},
    Family{"sluice_dropped_records", kCounter, "", "",
           "Records that were acknowledged and dropped on a full disk (on_full = \"drop_newest\")."},
    Family{"sluice_given_up_records", kCounter, "", "cause",
           "Records that were given up or lost, at most so many, by cause: no-space, retention, damage, restart, "
           "refused, too-large, other."},

    Family{"sluice_stream_bytes", kGauge, "bytes", "stream", "Size of the stream's log."},
    Family{"sluice_stream_segments", kGauge, "", "stream", "Segments of the stream's log."},
    Family{"sluice_stream_log_start_offset", kGauge, "", "stream", "The first offset that is there."},
    Family{"sluice_stream_high_watermark", kGauge, "", "stream", "The offset after the last durable record."},
    Family{"sluice_stream_blocked", kGauge, "", "stream",
           "1 where the stream waits for space, and nothing of it is acknowledged."},
    Family{"sluice_stream_backlog_records", kGauge, "", "stream",
           "Offsets between the forwarder's cursor and the high watermark."},
    Family{"sluice_stream_forwarded_records", kCounter, "", "stream",
           "Records that Kafka has acknowledged, or that were committed with exactly-once delivery."},
    Family{"sluice_stream_forwarded_bytes", kCounter, "bytes", "stream",
           "Bytes of these records: keys, values and headers, before compression."},
    Family{"sluice_stream_dead_lettered_records", kCounter, "", "stream",
           "Records that Kafka refused, kept as dead letters."},
    Family{"sluice_stream_held", kGauge, "", "stream",
           "1 where the stream is not sent until somebody mends something: its topic is missing, or forbidden."},
    Family{"sluice_delivery_delay_seconds", kHistogram, "seconds", "stream",
           "From a record's timestamp to Kafka's acknowledgement of it, by the gateway's clock."},

    Family{"sluice_rules_records", kCounter, "", "", "Records that the rules have seen."},
    Family{"sluice_rules_backlog_records", kGauge, "", "", "Offsets that the rules have not seen yet."},
    Family{"sluice_rules_devices", kGauge, "", "",
           "Devices that the rules remember, once a stream and kind of device."},
    Family{"sluice_rules_alerts", kCounter, "", "", "Alerts that began or ended."},
    Family{"sluice_rules_derived_records", kCounter, "", "", "Records that were written to derived streams."},
    Family{"sluice_rules_left_out_records", kCounter, "", "",
           "Records that nothing was derived from, as they are no JSON objects."},
    Family{"sluice_alerts_firing", kGauge, "", "rule", "Alerts that fire, by rule."},

    Family{"sluice_storage_used_bytes", kGauge, "bytes", "",
           "What the logs take of the disk, of those that count towards the quota."},
    Family{"sluice_storage_quota_bytes", kGauge, "bytes", "", "storage.quota; absent without one."},
    Family{"sluice_cleaner_passes", kCounter, "", "", "Compactions that changed something."},
    Family{"sluice_cleaner_freed_bytes", kCounter, "bytes", "", "Bytes that the cleaner has given back."},
    Family{"sluice_cleaner_rewritten_bytes", kCounter, "bytes", "", "Bytes that compaction has read and written."},
    Family{"sluice_cleaner_failures", kCounter, "", "", "What could not be cleaned."},
    Family{"sluice_flash_written_today_bytes", kGauge, "bytes", "",
           "Written to the disk under the data directory, by anyone, since midnight (UTC) or the agent's start; absent "
           "where the device doesn't count."},
    Family{"sluice_flash_life_left_seconds", kGauge, "seconds", "",
           "How long the flash will last at the present rate; absent where that is not known."},

    Family{"sluice_kafka_connected", kGauge, "", "", "1 where the cluster answered last time."},
    Family{"sluice_kafka_in_flight_bytes", kGauge, "bytes", "", "Handed to the cluster and not acknowledged."},
    Family{"sluice_kafka_producers_rebuilt", kCounter, "", "", "Producers that turned fatal and were made anew."},
    Family{"sluice_kafka_transactions", kCounter, "", "state",
           "Transactions by how they ended: committed, aborted (and sent again)."},

    Family{"process_cpu_seconds", kCounter, "seconds", "", "User and system time."},
    Family{"process_resident_memory_bytes", kGauge, "bytes", "", "Memory that is resident."},
    Family{"process_open_fds", kGauge, "", "", "Open file descriptors."},
    Family{"process_max_fds", kGauge, "", "", "How many file descriptors may be open."},
    Family{"process_threads", kGauge, "", "", "Threads."},
    Family{"process_start_time_seconds", kGauge, "seconds", "", "When the process started, since 1970."},
};

}  // namespace

std::span<const Family> families() {
    return kFamilies;
}

std::string_view to_string(Type type) {
    switch (type) {
        case Type::counter:
            return "counter";
        case Type::gauge:
            return "gauge";
        case Type::histogram:
            return "histogram";
    }
    return "gauge";
}

}  // namespace sluice::agent::metrics
