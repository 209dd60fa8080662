#include "bridge/kafka/kafka_config.hpp"

#include "bridge/kafka/handles.hpp"
#include "bridge/kafka/oauth_token.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

namespace sluice::bridge::kafka {

namespace {

struct Refused {
    std::string_view name;
    std::string_view why;
};

constexpr std::array kRefused = {
    Refused{"bootstrap.servers", "set kafka.brokers instead"},
    Refused{"metadata.broker.list", "set kafka.brokers instead"},
    Refused{"client.id", "it is made from agent.id"},
    Refused{"acks", "the cursor moves only past records acknowledged by all in-sync replicas"},
    Refused{"request.required.acks", "the cursor moves only past records acknowledged by all in-sync replicas"},
    Refused{"enable.idempotence", "without it a retry makes duplicates and changes the order"},
    Refused{"enable.gapless.guarantee", "without it a refused record lets later ones overtake it"},
    Refused{"transactional.id", "it is set by kafka.delivery"},
    Refused{"message.timeout.ms", "the log is the retry queue: no time-out may end a wait"},
    Refused{"delivery.timeout.ms", "the log is the retry queue: no time-out may end a wait"},
    Refused{"partitioner", "keys must go to the partitions that Kafka's own clients choose"},
    Refused{"queue.buffering.max.messages", "set kafka.inflight_bytes instead"},
    Refused{"queue.buffering.max.kbytes", "set kafka.inflight_bytes instead"},
    Refused{"compression.codec", "set kafka.compression instead"},
    Refused{"compression.type", "set kafka.compression instead"},
    Refused{"enabled_events", "the agent sets it"},
    Refused{"statistics.interval.ms", "uplink.rate sets it"},
    Refused{"delivery.report.only.error", "the cursor moves with the reports of what was delivered"},
    Refused{"log.queue", "the agent takes its lines as they come"},
    Refused{"dr_cb", "it is a callback"},
};

}  // namespace

std::optional<std::string> check_property(const std::string& name, const std::string& value) {
    const auto refused = std::find_if(kRefused.begin(), kRefused.end(), [&](const auto& r) { return r.name == name; });
    if (refused != kRefused.end()) {
        return "librdkafka property \"" + name + "\" can't be set here (" + std::string(refused->why) + ")";
    }
    std::array<char, 512> reason{};
    const Conf conf(rd_kafka_conf_new());
    const auto result = rd_kafka_conf_set(conf.get(), name.c_str(), value.c_str(), reason.data(), reason.size());
    if (result == RD_KAFKA_CONF_OK) return std::nullopt;
    if (result == RD_KAFKA_CONF_UNKNOWN) {
        return "librdkafka knows no property \"" + name + "\" (its CONFIGURATION.md lists them)";
    }
    return std::string(reason.data());
}

std::optional<std::string> warn_of_property(const std::string& name, const std::string& value) {
    constexpr int kScramFixed = 0x02060000;  // its changelog, issue 4895
    const bool is_mechanism = name == "sasl.mechanism" || name == "sasl.mechanisms";
    if (!is_mechanism || !value.starts_with("SCRAM") || rd_kafka_version() >= kScramFixed) return std::nullopt;
    return std::string("Kafka from 3.7.2, 3.8.1 and 3.9 on refuses SCRAM from librdkafka before 2.6; this is ") +
           rd_kafka_version_str() + " (use PLAIN over TLS, a client certificate, or Debian 13)";
}

std::optional<std::string> fault_at_start(const ClusterOptions& options) {
    std::array<char, 512> reason{};
    Conf conf(rd_kafka_conf_new());
    auto properties = producer_properties(options);
    properties.erase("bootstrap.servers");
    for (const auto& [name, value] : properties) {
        rd_kafka_conf_set(conf.get(), name.c_str(), value.c_str(), nullptr, 0);
    }
    take_tokens_from_file(conf.get(), properties);
    rd_kafka_conf_set_log_cb(conf.get(), nullptr);
    const Handle handle(rd_kafka_new(RD_KAFKA_PRODUCER, conf.get(), reason.data(), reason.size()));
    if (!handle) return std::string(reason.data());
    static_cast<void>(conf.release());  // owned by the handle now
    return std::nullopt;
}

std::map<std::string, std::string> producer_properties(const ClusterOptions& options) {
    // Room for what we hand over, with librdkafka's own bookkeeping; the forwarder is the one that holds the bound.
    const auto queue_kbytes = std::max<std::size_t>(options.inflight_bytes / 1024 * 2, std::size_t{64} * 1024);
    std::map<std::string, std::string> properties = {
        {"bootstrap.servers", options.brokers},
        {"client.id", "sluice-" + options.agent_id},
        {"enable.idempotence", "true"},
        {"enable.gapless.guarantee", "true"},
        {"acks", "all"},
        {"message.timeout.ms", "0"},
        {"partitioner", "murmur2_random"},
        {"compression.codec", options.compression},
        {"queue.buffering.max.messages", "10000000"},
        {"queue.buffering.max.kbytes", std::to_string(std::min<std::size_t>(queue_kbytes, 2097151))},
        // Records that wait for longer than this while a request of their partition is unanswered make librdkafka 2.0
        // busy-wait, so it is above the round trip of most links (docs/dependencies.md).
        {"linger.ms", "50"},
        {"socket.keepalive.enable", "true"},
        // A cluster that is back is to get its first record within two seconds (./dev bench forward). While it is away
        // that costs an attempt to connect a second and broker.
        {"reconnect.backoff.ms", "250"},
        {"reconnect.backoff.max.ms", "1000"},
        {"log.connection.close", "false"},
    };
    if (options.uplink.rate) properties["statistics.interval.ms"] = "1000";  // pacing.hpp
    if (options.delivery == Delivery::exactly_once) {
        properties["transactional.id"] = "sluice-" + options.agent_id;
        // An error ends the transaction and nothing overtakes it; a message lives as long as its transaction does.
        properties.erase("enable.gapless.guarantee");
        properties.erase("message.timeout.ms");
    }
    for (const auto& [name, value] : options.properties) properties[name] = value;
    return properties;
}

std::chrono::milliseconds transaction_timeout(const ClusterOptions& options) {
    const auto set = options.properties.find("transaction.timeout.ms");
    constexpr std::chrono::milliseconds kDefault{60'000};  // librdkafka's
    return set == options.properties.end() ? kDefault : std::chrono::milliseconds(std::stoll(set->second, nullptr, 0));
}

}  // namespace sluice::bridge::kafka
