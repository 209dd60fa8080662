#include "agent/config_names.hpp"
#include "agent/config_read.hpp"

#include <set>

namespace sluice::agent {

namespace {

using std::chrono_literals::operator""h;
using std::chrono_literals::operator""s;

constexpr auto kDay = 24h;
constexpr double kLeastShare = 0.01;  // of the uplink, for either lane of a stream
constexpr std::uint64_t kEventsBytes = 16U << 20U;
constexpr std::uint64_t kEventsSegmentBytes = 1U << 20U;  // by so much it may be larger: the last one is not deleted
constexpr const char* kForEver = "forever";

StreamConfig default_stream() {
    StreamConfig stream;
    stream.log.retention = 7 * kDay;
    return stream;
}

void read_cleanup(ConfigSection& section, storage::LogOptions& log) {
    using storage::Cleanup;
    section.read_choice<Cleanup>(
        "cleanup", log.cleanup,
        {{"delete", Cleanup::remove}, {"compact", Cleanup::compact}, {"compact,delete", Cleanup::compact_and_remove}});
    // A compacted stream is a table: that Kafka gets only the latest record of a key is what it is for.
    if (!log.removes()) log.hold_until_forwarded = false;
    section.read_ratio("min_dirty_ratio", log.min_dirty_ratio);
    section.read("min_compaction_lag", log.min_compaction_lag, 0s, 3650 * kDay);
    section.read("delete_retention", log.delete_retention, 0s, 3650 * kDay);
}

void read_full_disk(ConfigSection& section, storage::LogOptions& log) {
    using storage::OnFull;
    section.read_choice<OnFull>("on_full", log.on_full,
                                {{"block", OnFull::block},
                                 {"drop_oldest", OnFull::drop_oldest},
                                 {"drop_newest", OnFull::drop_newest},
                                 {"compact", OnFull::compact},
                                 {"thin", OnFull::thin}});
    const bool gives_up_records = log.on_full == OnFull::drop_oldest || log.on_full == OnFull::thin;
    if (gives_up_records && !log.removes()) {
        section.error("on_full", "a table (cleanup = \"compact\") would lose the latest records of keys",
                      "\"compact\", \"block\" or \"drop_newest\"");
    }
    section.read_integer("priority", log.priority, -1000, 1000);
    section.read("thin_interval", log.thin_interval, 1s, kDay);
}

void read_retention(ConfigSection& section, storage::LogOptions& log) {
    section.read("retention", log.retention, 1s, 3650 * kDay, kForEver);
    std::uint64_t bytes = 0;
    if (section.read_size("retention_bytes", bytes, 1U << 10U, 1ULL << 50U)) log.retention_bytes = bytes;
    section.read("hold_until_forwarded", log.hold_until_forwarded);
    for (const auto* key : {"retention", "retention_bytes"}) {
        if (section.has(key) && !log.removes()) {
            section.warning(key, "has no effect on a table (cleanup = \"compact\")", "\"compact,delete\"");
        }
    }
}

void read_stream(ConfigSection& section, StreamConfig& stream) {
    if (section.read("kafka_topic", stream.kafka_topic) && !is_kafka_topic_name(*stream.kafka_topic)) {
        section.error("kafka_topic", in_quotes(*stream.kafka_topic) + " is not a Kafka topic's name",
                      "1 to 249 letters, digits and . _ -");
    }
    section.read("forward", stream.forward);
    section.read_choice<double>("forward_priority", stream.forward_weight,
                                {{"high", bridge::kafka::kHighWeight},
                                 {"normal", bridge::kafka::kNormalWeight},
                                 {"low", bridge::kafka::kLowWeight}});
    using Order = bridge::kafka::StreamTarget::Order;
    section.read_choice<Order>("order", stream.order, {{"fifo", Order::fifo}, {"live_first", Order::live_first}});
    if (section.read_ratio("backlog_share", stream.backlog_share) &&
        (stream.backlog_share < kLeastShare || stream.backlog_share > 1 - kLeastShare)) {
        section.error("backlog_share", "is not from 0.01 to 0.99", "neither lane may starve");
    }
    if (section.has("backlog_share") && stream.order == Order::fifo) {
        section.warning("backlog_share", "has no effect", "order = \"live_first\"");
    }
    using storage::Compression;
    using storage::Durability;
    section.read_choice<Durability>(
        "durability", stream.log.durability,
        {{"fsync", Durability::fsync}, {"flush", Durability::flush}, {"memory", Durability::memory}});
    section.read_size("memory_bytes_max", stream.log.memory_bytes_max, 64U << 10U, 1U << 30U);
    section.read("memory_age_max", stream.log.memory_age_max, 1s, 24h);
    section.read_choice<Compression>(
        "compression", stream.log.compression,
        {{"none", Compression::none}, {"lz4", Compression::lz4}, {"zstd", Compression::zstd}});
    section.read_size("segment_bytes", stream.log.segment_bytes, 1U << 10U, 1U << 30U);
    section.read("segment_age", stream.log.segment_age, 1s, 365 * kDay);
    read_cleanup(section, stream.log);
    read_retention(section, stream.log);
    read_full_disk(section, stream.log);
    if (stream.order == Order::live_first && stream.log.cleanup != storage::Cleanup::remove) {
        section.warning("order", "readers of a table take what comes last for the latest, and the backlog comes last",
                        "\"fifo\"");
    }
    if (stream.log.durability == Durability::memory && !stream.forward) {
        section.warning("durability", "saves no writes: only what is forwarded need not be written",
                        "forward = true, or \"fsync\"");
    }
    section.refuse_unknown();
}

/// [stream.plant.a] is a table in [stream.plant] to TOML, and surely not what was meant.
bool has_dotted_name(ConfigSection& section, const std::string& name) {
    for (const auto& entry : section.entries()) {
        if (entry.value.get_if<ConfigTable>() == nullptr) continue;
        section.context().diagnostics.error(
            entry.key_place, "a stream has no tables in it",
            "a name with a dot needs quotes: [stream.\"" + name + "." + entry.key + "\"]");
        return true;
    }
    return false;
}

}  // namespace

void read_streams(ConfigSection& top, Config& config) {
    for (const auto* own : {kDeadLetterStream, kEventsStream}) config.streams.emplace(own, default_stream());
    if (top.has("rule") || top.has("derive")) config.streams.emplace(kAlertsStream, default_stream());
    for (const auto* derive : top.tables("derive")) {
        const auto* to = derive->get_if<ConfigTable>()->find("to");
        const auto* name = to == nullptr ? nullptr : to->value.get_if<std::string>();
        if (name != nullptr && is_kafka_topic_name(*name)) config.streams.emplace(*name, default_stream());
    }
    // What is given up on a full disk is told on a full disk.
    auto& events = config.streams[kEventsStream].log;
    events.counts_to_quota = false;
    events.retention_bytes = kEventsBytes;
    events.segment_bytes = kEventsSegmentBytes;
    events.hold_until_forwarded = false;  // no quota bounds it: in a long outage the oldest go
    for (const auto& route : config.routes) {
        if (!route.stream.empty()) config.streams.emplace(route.stream, default_stream());
    }
    auto streams = subsection(top, "stream");
    for (const auto& entry : streams.entries()) {
        const auto* value = streams.table(entry.key);
        if (value == nullptr) continue;
        ConfigSection section(streams.context(), value->get_if<ConfigTable>(), entry.key_place, "stream." + entry.key,
                              "[stream." + entry.key + "]");
        const bool used = config.streams.contains(entry.key);
        auto& diagnostics = streams.context().diagnostics;
        if (has_dotted_name(section, entry.key)) continue;
        if (!is_kafka_topic_name(entry.key)) {
            diagnostics.error(entry.key_place, in_quotes(entry.key) + " is not a stream's name",
                              "1 to 249 letters, digits and . _ -");
        } else if (!used && entry.key.starts_with(kOwnStreamPrefix)) {
            diagnostics.error(entry.key_place,
                              "streams named " + std::string(kOwnStreamPrefix) + "… are the agent's own",
                              std::string("of these you can set ") + kDeadLetterStream + " and " + kEventsStream);
        } else if (!used) {
            diagnostics.warning(entry.key_place, "no route leads to the stream " + in_quotes(entry.key));
        }
        read_stream(section, config.streams.emplace(entry.key, default_stream()).first->second);
    }
}

}  // namespace sluice::agent
