#include "agent/config_names.hpp"
#include "agent/config_read.hpp"

#include <set>

namespace sluice::agent {

namespace {

using std::chrono_literals::operator""h;
using std::chrono_literals::operator""s;

constexpr auto kDay = 24h;
constexpr const char* kForEver = "forever";

StreamConfig default_stream() {
    StreamConfig stream;
    stream.log.retention = 7 * kDay;
    return stream;
}

void read_retention(ConfigSection& section, storage::LogOptions& log) {
    section.read("retention", log.retention, 1s, 3650 * kDay, kForEver);
    std::uint64_t bytes = 0;
    if (section.read_size("retention_bytes", bytes, 1U << 10U, 1ULL << 50U)) log.retention_bytes = bytes;
    section.read("hold_until_forwarded", log.hold_until_forwarded);
}

void read_stream(ConfigSection& section, StreamConfig& stream) {
    if (section.read("kafka_topic", stream.kafka_topic) && !is_kafka_topic_name(*stream.kafka_topic)) {
        section.error("kafka_topic", in_quotes(*stream.kafka_topic) + " is not a Kafka topic's name",
                      "1 to 249 letters, digits and . _ -");
    }
    section.read("forward", stream.forward);
    using storage::Compression;
    using storage::Durability;
    section.read_choice<Durability>("durability", stream.log.durability,
                                    {{"fsync", Durability::fsync}, {"flush", Durability::flush}});
    section.read_choice<Compression>(
        "compression", stream.log.compression,
        {{"none", Compression::none}, {"lz4", Compression::lz4}, {"zstd", Compression::zstd}});
    section.read_size("segment_bytes", stream.log.segment_bytes, 1U << 10U, 1U << 30U);
    section.read("segment_age", stream.log.segment_age, 1s, 365 * kDay);
    read_retention(section, stream.log);
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
