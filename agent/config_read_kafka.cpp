#include "agent/config_names.hpp"
#include "agent/config_read.hpp"
#include "agent/config_secret.hpp"
#include "agent/uplink_files.hpp"
#include "bridge/kafka/kafka_config.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <system_error>

namespace sluice::agent {

namespace {

using bridge::kafka::ClusterOptions;
using bridge::kafka::Delivery;
using bridge::kafka::TopicPolicy;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""min;
using std::chrono_literals::operator""h;

// Of zstd, where it is not said otherwise: docs/uplink.md has the measurement.
constexpr const char* kThinLinkLevel = "1";

void read_brokers(ConfigSection& section, std::string& brokers) {
    if (!section.read("brokers", brokers, "`host:port,host:port`; an IPv6 address stands in brackets")) {
        if (section.is_there() && !section.has("brokers"))
            section.missing("brokers", "such as brokers = \"kafka-1:9092,kafka-2:9092\"");
        return;
    }
    const auto bad = bad_broker(brokers);
    if (!bad) return;
    const bool protocol = bad->find("://") != std::string::npos;
    section.error(
        "brokers", in_quotes(*bad) + " is not a host and a port",
        protocol ? "the protocol is \"security.protocol\" in [kafka.properties]" : "such as \"kafka-1:9092\"");
}

void read_delivery(ConfigSection& section, ClusterOptions& kafka) {
    section.read_choice<Delivery>(
        "delivery", kafka.delivery,
        {{"at-least-once", Delivery::at_least_once}, {"exactly-once", Delivery::exactly_once}},
        "whether a record may arrive twice after a failure ([exactly-once.md](exactly-once.md))");
    auto& transaction = kafka.transaction;
    section.read("transaction_interval", transaction.interval, 10ms, 10min,
                 "exactly-once: a transaction closes after this, with a backlog later; at most half of "
                 "`transaction.timeout.ms`");
    section.read_integer<std::size_t>("transaction_records", transaction.records, 1, 100'000'000,
                                      "… or with so many records");
    section.read_size("transaction_bytes", transaction.bytes, 16U << 10U, 4ULL << 30U,
                      "… or so many bytes, or fewer on a thin link");
    if (section.read("position_topic", kafka.position_topic,
                     {"exactly-once: where Kafka keeps how far we are; compacted", "", "topic name ²"}) &&
        !is_kafka_topic_name(kafka.position_topic)) {
        section.error("position_topic", in_quotes(kafka.position_topic) + " is not a Kafka topic's name",
                      "1 to 249 letters, digits and . _ -");
    }
    if (kafka.delivery == Delivery::exactly_once) return;
    for (const auto* key : {"transaction_interval", "transaction_records", "transaction_bytes", "position_topic"}) {
        if (section.has(key)) section.warning(key, "has no effect", "set delivery = \"exactly-once\"");
    }
}

/// A transaction that takes as long as its time-out is aborted again and again.
void check_interval(ConfigSection& section, const ClusterOptions& kafka) {
    const auto timeout = bridge::kafka::transaction_timeout(kafka);
    if (kafka.delivery != Delivery::exactly_once || kafka.transaction.interval * 2 <= timeout) return;
    section.error("transaction_interval",
                  "is more than half of transaction.timeout.ms, which is " + std::to_string(timeout.count()) + " ms",
                  "write less, or raise the latter in [kafka.properties]");
}

/// librdkafka takes every property as text.
std::optional<std::string> as_text(const ConfigValue& value) {
    if (const auto* text = value.get_if<std::string>()) return *text;
    if (const auto* integer = value.get_if<std::int64_t>()) return std::to_string(*integer);
    if (const auto* boolean = value.get_if<bool>()) return *boolean ? "true" : "false";
    const auto* number = value.get_if<double>();
    if (number == nullptr) return std::nullopt;
    std::array<char, 32> digits{};
    const auto written = std::to_chars(digits.data(), digits.data() + digits.size(), *number);
    return std::string(digits.data(), written.ptr);
}

/// librdkafka tells of one of them, and not why.
std::optional<std::string> fault_of_file(const std::string& property, const std::string& path) {
    const bool is_file = property.starts_with("ssl.") && property.ends_with(".location") && path != "probe";
    if (!is_file || ::access(path.c_str(), R_OK) == 0) return std::nullopt;
    return "can't read " + path + ": " + std::generic_category().message(errno);
}

/// A property's name has dots in it, which without quotes make tables of it: both forms are taken.
void read_properties(ConfigSection& section, const ConfigTable& table, const std::string& prefix,
                     std::map<std::string, std::string>& properties) {
    auto& diagnostics = section.context().diagnostics;
    for (const auto& entry : table.entries) {
        const auto name = prefix + entry.key;
        if (const auto* inner = entry.value.get_if<ConfigTable>()) {
            read_properties(section, *inner, name + ".", properties);
            continue;
        }
        const auto text = as_text(entry.value);
        if (!text) {
            diagnostics.error(entry.value.place, name + " wants a string, not " + describe(entry.value));
        } else if (const auto fault = bridge::kafka::check_property(name, *text)) {
            diagnostics.error(entry.key_place, *fault);
        } else if (const auto unreadable = fault_of_file(name, *text)) {
            diagnostics.error(entry.value.place, *unreadable);
        } else if (!properties.emplace(name, *text).second) {
            diagnostics.error(entry.key_place, in_quotes(name) + " is given twice");
        } else if (is_secret_property(name)) {
            warn_if_exposed(section, entry.value.place, in_quotes(name));
        } else if (const auto warning = bridge::kafka::warn_of_property(name, *text)) {
            diagnostics.warning(entry.value.place, *warning);
        }
    }
}

/// The property that librdkafka complains of, or nullptr.
const ConfigEntry* find_named(const ConfigTable& table, const std::string& prefix, const std::string& complaint) {
    for (const auto& entry : table.entries) {
        const auto name = prefix + entry.key;
        if (const auto* inner = entry.value.get_if<ConfigTable>()) {
            if (const auto* found = find_named(*inner, name + ".", complaint)) return found;
        } else if (complaint.find(name) != std::string::npos) {
            return &entry;
        }
    }
    return nullptr;
}

/// While a person is looking, not at the next start in the field.
void try_to_start(ConfigSection& section, const ConfigValue& properties, const ClusterOptions& kafka) {
    auto& diagnostics = section.context().diagnostics;
    if (kafka.brokers.empty() || diagnostics.has_errors()) return;
    auto fault = bridge::kafka::fault_at_start(kafka);
    if (!fault) return;
    if (shows_secret(*fault, kafka.properties)) fault = "for a reason that has a secret in it";
    const auto* property = find_named(*properties.get_if<ConfigTable>(), "", *fault);
    diagnostics.error(property != nullptr ? property->value.place : properties.place,
                      "librdkafka does not start: " + *fault);
}

bool uses_sasl(const std::map<std::string, std::string>& properties) {
    const auto protocol = properties.find("security.protocol");
    return protocol != properties.end() &&
           (protocol->second.starts_with("SASL") || protocol->second.starts_with("sasl"));
}

/// Certificates alone don't make a connection encrypted.
void warn_without_tls(ConfigSection& section, const std::map<std::string, std::string>& properties) {
    const auto uses_tls = [&] {
        const auto protocol = properties.find("security.protocol");
        if (protocol == properties.end()) return false;
        return protocol->second.find("SSL") != std::string::npos || protocol->second.find("ssl") != std::string::npos;
    };
    const auto named = std::find_if(properties.begin(), properties.end(), [](const auto& property) {
        return property.first.starts_with("ssl.") && property.first.ends_with(".location");
    });
    if (named == properties.end() || uses_tls()) return;
    section.warning("properties", in_quotes(named->first) + " has no effect: the connection is not encrypted",
                    "set \"security.protocol\" to SSL or SASL_SSL");
}

void read_user(ConfigSection& section, std::map<std::string, std::string>& properties) {
    const auto set = [&](const char* key, const char* property, const std::optional<std::string>& value) {
        if (value && !properties.emplace(property, *value).second) {
            section.error(key, std::string("is also given as ") + in_quotes(property), "keep one of the two");
        }
    };
    std::optional<std::string> username;
    std::optional<std::string> password;
    section.read("username", username, "sets `sasl.username`");
    const bool has_password =
        read_password(section, password, "sets `sasl.password`, with `username`; one of these three");
    set("username", "sasl.username", username);
    set("password", "sasl.password", password);
    if (has_password && !section.has("username")) section.missing("username", "a password is given");
    if (username && !uses_sasl(properties)) {
        section.warning("username", "has no effect", "set \"security.protocol\" in [kafka.properties] to SASL_SSL");
    }
}

/// A token that somebody else gets and renews.
void read_token_file(ConfigSection& section, std::map<std::string, std::string>& properties) {
    std::string path;
    if (!section.read_path("token_file", path,
                           "for `\"sasl.mechanism\" = \"OAUTHBEARER\"`: a file with the token, read again before it "
                           "expires ([below](#a-token-of-an-identity-provider))"))
        return;
    const auto config = std::string(bridge::kafka::kTokenFilePrefix) + path;
    if (!properties.emplace("sasl.oauthbearer.config", config).second) {
        section.error("token_file", "is also given as \"sasl.oauthbearer.config\"", "keep one of the two");
    }
    const auto bearer = std::ranges::any_of(properties, [](const auto& property) {
        return property.first.starts_with("sasl.mechanism") && property.second == "OAUTHBEARER";
    });
    if (!bearer) {
        section.warning("token_file", "has no effect", "set \"sasl.mechanism\" in [kafka.properties] to OAUTHBEARER");
    }
}

void read_topics(ConfigSection& section, ClusterOptions& kafka) {
    section.read_choice<TopicPolicy>("topics", kafka.topics,
                                     {{"create", TopicPolicy::create}, {"check", TopicPolicy::check}},
                                     "a missing topic is made, or its stream is held and it is said");
    section.read_integer<std::int32_t>("partitions", kafka.partitions, 1, 10'000,
                                       "the number of partitions of a topic that we make");
    section.read_integer<std::int16_t>("replication_factor", kafka.replication_factor, 1, 100,
                                       {"the number of replicas of a topic that we make", "the broker's"});
}

void read_pace(ConfigSection& section, ClusterOptions& kafka) {
    section.read_size("inflight_bytes", kafka.inflight_bytes, 64U << 10U, 1U << 30U,
                      "memory of records handed to the cluster and not acknowledged, librdkafka's own included (some "
                      "500 bytes a record): bounds it, whatever the backlog");
    section.read("cursor_interval", kafka.cursor_interval, 10ms, 1h,
                 "how often is stored how far we are; after a crash so much is sent again");
    section.read("retry_min", kafka.retry_min, 10ms, 1h, "waits between attempts of a held stream double from here …");
    section.read("retry_max", kafka.retry_max, 10ms, 24h, "… up to here");
    if (kafka.retry_min > kafka.retry_max) {
        section.error(section.has("retry_max") ? "retry_max" : "retry_min", "retry_min is more than retry_max");
    }
}

std::optional<storage::DeliveryOptions> read_proofs(ConfigSection& section, Delivery delivery) {
    bool wanted = true;
    storage::DeliveryOptions proofs;
    section.read("proof", wanted,
                 "where each record went is kept, for `sluice why`: [proof-of-delivery.md](proof-of-delivery.md)");
    section.read("proof_retention", proofs.retention, 1h, 24h * 3650, "… for so long");
    section.read_size(
        "proof_bytes", proofs.bytes_max, 1ULL << 20U, 1ULL << 40U,
        "… in so many bytes of the data directory; beyond it the oldest sixteenth goes. Not part of `storage.quota`");
    proofs.transactional = delivery == Delivery::exactly_once;
    for (const auto* key : {"proof_retention", "proof_bytes"}) {
        if (!wanted && section.has(key)) section.warning(key, "has no effect", "proof is false");
    }
    return wanted ? std::optional(proofs) : std::nullopt;
}

}  // namespace

void read_kafka(ConfigSection& top, Config& config) {
    auto section = subsection(top, "kafka");
    ClusterOptions kafka;
    kafka.agent_id = config.id;
    read_brokers(section, kafka.brokers);
    read_delivery(section, kafka);
    const bool is_thin = subsection(top, "uplink").has("rate");
    if (is_thin) kafka.compression = "zstd";
    section.read_choice<std::string>(
        "compression", kafka.compression,
        {{"none", "none"}, {"gzip", "gzip"}, {"snappy", "snappy"}, {"lz4", "lz4"}, {"zstd", "zstd"}},
        "on the way to Kafka; with an `uplink.rate` the default is `\"zstd\"` at level 1; the level is "
        "`\"compression.level\"` in `[kafka.properties]` ([uplink.md](uplink.md))");
    read_topics(section, kafka);
    read_pace(section, kafka);
    section.read("origin_headers", kafka.origin_headers,
                 "each record has the header `sluice.origin`, `STREAM/LOG-ID/OFFSET`; at-least-once: what may have "
                 "arrived before a kill is looked up and not sent again ([delivery.md](delivery.md)). Needs the right "
                 "to read the topic");
    const auto proofs = read_proofs(section, kafka.delivery);
    const auto* properties =
        section.table("properties",
                      "any property of librdkafka: `\"security.protocol\" = \"SASL_SSL\"`, `\"sasl.mechanism\"`, "
                      "`\"ssl.ca.location\"` …; also `\"reconnect.backoff.max.ms\"`: each broker that is away is tried "
                      "once a second");
    if (properties != nullptr) read_properties(section, *properties->get_if<ConfigTable>(), "", kafka.properties);
    if (is_thin && !section.has("compression")) kafka.properties.emplace("compression.level", kThinLinkLevel);
    warn_without_tls(section, kafka.properties);
    read_user(section, kafka.properties);
    read_token_file(section, kafka.properties);
    check_interval(section, kafka);
    section.refuse_unknown();
    if (properties != nullptr) try_to_start(section, *properties, kafka);
    if (!section.is_there()) return;
    config.kafka = std::move(kafka);
    config.proofs = proofs;
}

}  // namespace sluice::agent
