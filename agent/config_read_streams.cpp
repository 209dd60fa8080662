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
        {{"delete", Cleanup::remove}, {"compact", Cleanup::compact}, {"compact,delete", Cleanup::compact_and_remove}},
        "old segments go; or the latest record of each key stays; or both");
    // A compacted stream is a table: that Kafka gets only the latest record of a key is what it is for.
    if (!log.removes()) log.hold_until_forwarded = false;
    section.read_ratio("min_dirty_ratio", log.min_dirty_ratio, 0, 1,
                       "compacted when this part of the log is new since the last time");
    section.read("min_compaction_lag", log.min_compaction_lag, 0s, 3650 * kDay,
                 "segments written to since are not compacted");
    section.read("delete_retention", log.delete_retention, 0s, 3650 * kDay,
                 "how long a tombstone (a record without a value) stays after the first compaction");
}

void read_full_disk(ConfigSection& section, storage::LogOptions& log) {
    using storage::OnFull;
    section.read_choice<OnFull>(
        "on_full", log.on_full,
        {{"block", OnFull::block},
         {"drop_oldest", OnFull::drop_oldest},
         {"drop_newest", OnFull::drop_newest},
         {"compact", OnFull::compact},
         {"thin", OnFull::thin}},
        "what gives way when `storage.quota` or the disk is used up and nothing forwarded is left to delete "
        "([operations](operations.md)); with `cleanup = \"compact\"` not `\"drop_oldest\"` or `\"thin\"`");
    const bool gives_up_records = log.on_full == OnFull::drop_oldest || log.on_full == OnFull::thin;
    if (gives_up_records && !log.removes()) {
        section.error("on_full", "a table (cleanup = \"compact\") would lose the latest records of keys",
                      "\"compact\", \"block\" or \"drop_newest\"");
    }
    section.read_integer("priority", log.priority, -1000, 1000, "streams of a lower priority give way first");
    section.read(
        "thin_interval", log.thin_interval, 1s, kDay,
        "`on_full = \"thin\"`: one record for each key and so much time stays; doubled where that is not enough");
}

void read_retention(ConfigSection& section, storage::LogOptions& log) {
    section.read("retention", log.retention, 1s, 3650 * kDay, kForEver,
                 "closed segments that were written longer ago are deleted");
    std::uint64_t bytes = 0;
    if (section.read_size("retention_bytes", bytes, 1U << 10U, 1ULL << 50U,
                          {"the oldest segments are deleted beyond this", "no limit"}))
        log.retention_bytes = bytes;
    section.read("hold_until_forwarded", log.hold_until_forwarded,
                 "`false`: deleted or compacted even where Kafka doesn't have them yet; what is deleted so is reported "
                 "as a gap; of a table (`cleanup = \"compact\"`) the default is `false`");
    for (const auto* key : {"retention", "retention_bytes"}) {
        if (section.has(key) && !log.removes()) {
            section.warning(key, "has no effect on a table (cleanup = \"compact\")", "\"compact,delete\"");
        }
    }
}

void read_stream(ConfigSection& section, StreamConfig& stream) {
    if (section.read("kafka_topic", stream.kafka_topic,
                     {"the Kafka topic that it is forwarded to", "`NAME`", "topic name ²"}) &&
        !is_kafka_topic_name(*stream.kafka_topic)) {
        section.error("kafka_topic", in_quotes(*stream.kafka_topic) + " is not a Kafka topic's name",
                      "1 to 249 letters, digits and . _ -");
    }
    section.read("forward", stream.forward, "`false`: the records stay on the gateway");
    section.read_choice<double>(
        "forward_priority", stream.forward_weight,
        {{"high", bridge::kafka::kHighWeight},
         {"normal", bridge::kafka::kNormalWeight},
         {"low", bridge::kafka::kLowWeight}},
        "its share of an uplink that can't take all: 16, 4 and 1 parts ([uplink.md](uplink.md))");
    using Order = bridge::kafka::StreamTarget::Order;
    section.read_choice<Order>("order", stream.order, {{"fifo", Order::fifo}, {"live_first", Order::live_first}},
                               "`\"live_first\"`: after an outage the newest records go out at once, and the backlog "
                               "follows ([uplink.md](uplink.md))");
    section.read_ratio("backlog_share", stream.backlog_share, kLeastShare, 1 - kLeastShare,
                       "`\"live_first\"`: the backlog's part of the stream's share of the uplink");
    if (section.has("backlog_share") && stream.order == Order::fifo) {
        section.warning("backlog_share", "has no effect", "order = \"live_first\"");
    }
    using storage::Compression;
    using storage::Durability;
    section.read_choice<Durability>(
        "durability", stream.log.durability,
        {{"fsync", Durability::fsync}, {"flush", Durability::flush}, {"memory", Durability::memory}},
        "what accepted means: synced to disk; in the page cache (survives the agent's death, not a power cut); or in "
        "memory, written only where Kafka doesn't take it in time");
    section.read_size("memory_bytes_max", stream.log.memory_bytes_max, 64U << 10U, 1U << 30U,
                      "durability `\"memory\"`: more than this is written to disk …");
    section.read("memory_age_max", stream.log.memory_age_max, 1s, 24h,
                 "… and so is what has waited for Kafka so long: what a power cut or a kill loses at most");
    section.read_choice<Compression>(
        "compression", stream.log.compression,
        {{"none", Compression::none}, {"lz4", Compression::lz4}, {"zstd", Compression::zstd}},
        "how the local log is compressed");
    section.read_size("segment_bytes", stream.log.segment_bytes, 1U << 10U, 1U << 30U,
                      "space is given back a segment at a time");
    section.read("segment_age", stream.log.segment_age, 1s, 365 * kDay,
                 "a segment is closed at this age, however small");
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
