// The check: everything that is wrong with a configuration, or what would run with it. Passwords are "***".
#include "agent/cli/commands.hpp"
#include "agent/config_secret.hpp"
#include "agent/config_units.hpp"
#include "agent/open_logs.hpp"
#include "agent/text.hpp"

#include <iostream>
#include <sstream>

namespace sluice::agent {

namespace {

constexpr const char* kHidden = "***";

void print_listener(std::ostream& out, const Config& config) {
    if (!config.listener) return;
    const auto& listener = *config.listener;
    out << "listener\n  MQTT 3.1, 3.1.1 and 5 on " << joined(listener.bind) << ", at most " << listener.connections_max
        << " connections\n";
    const auto& access = listener.access;
    const auto anonymous = access.anonymous ? (*access.anonymous ? "from anywhere" : "nobody") : "from this machine";
    out << "    without a name: " << anonymous;
    if (access.password_file) out << "; users of " << *access.password_file;
    if (listener.tls.ca_file) out << "; certificates signed by " << *listener.tls.ca_file;
    out << "\n    " << (access.acl_file ? "rules of " + *access.acl_file : "no rules: who comes in may do all") << '\n';
    if (!listener.broker.local_only.empty()) out << "    not kept: " << joined(listener.broker.local_only) << '\n';
}

void print_sources(std::ostream& out, const Config& config) {
    if (config.sources.empty()) return;
    out << "sources\n";
    for (const auto& source : config.sources) {
        const bool v5 = source.version == bridge::mqtt::ProtocolVersion::v5;
        out << "  " << source.name << ": " << source.url << ", MQTT " << (v5 ? "5" : "3.1.1") << ", QoS "
            << static_cast<int>(source.qos) << ", client id " << source.client_id;
        if (source.username) out << ", user " << *source.username;
        if (source.password) out << ", password " << kHidden;
        if (source.tls.cert_file) out << ", client certificate " << *source.tls.cert_file;
        out << "\n    subscribes to " << joined(source.topics) << '\n';
    }
}

void print_routes(std::ostream& out, const Config& config) {
    out << "routes (the first that matches decides)\n";
    for (const auto& route : config.routes) {
        out << "  " << route.topic << " -> " << route.stream;
        out << (route.key ? ", key " + *route.key : ", no key");
        out << (route.timestamp ? ", timestamp from " + *route.timestamp : ", timestamp of arrival") << '\n';
    }
    out << "  anything else -> " << kDeadLetterStream << '\n';
}

void print_rules(std::ostream& out, const Config& config) {
    if (config.rules.rules.empty()) return;
    out << "rules (alerts go to the stream " << kAlertsStream << ")\n";
    for (const auto& [stream, sources] : config.rules.by_stream()) {
        const auto built = models::rules::RuleSet::build(sources, 1);
        const auto& set = std::get<models::rules::RuleSet>(built);  // the configuration was checked
        out << "  on " << stream << ": " << set.device_bytes() << " bytes a device, at most "
            << format_size(set.device_bytes() * config.rules.devices_max) << " for " << config.rules.devices_max
            << " devices\n";
        for (const auto* rule : set.rules()) {
            out << "    " << rule->source.name << ": "
                << (rule->derives() ? "writes to " + rule->source.derive->to : one_line(rule->source.expr)) << ", "
                << rule->state_bytes() << " bytes\n";
        }
    }
}

const char* name_of(storage::Durability durability) {
    switch (durability) {
        case storage::Durability::fsync:
            return "fsync";
        case storage::Durability::flush:
            return "flush";
        case storage::Durability::memory:
            return "memory";
    }
    return "?";
}

const char* name_of(storage::Cleanup cleanup) {
    switch (cleanup) {
        case storage::Cleanup::remove:
            return "old segments are deleted";
        case storage::Cleanup::compact:
            return "compacted: the latest record of each key stays";
        case storage::Cleanup::compact_and_remove:
            return "compacted, and old segments are deleted";
    }
    return "?";
}

const char* name_of(storage::OnFull policy) {
    switch (policy) {
        case storage::OnFull::block:
            return "devices wait";
        case storage::OnFull::drop_oldest:
            return "the oldest is dropped";
        case storage::OnFull::drop_newest:
            return "the newest is dropped";
        case storage::OnFull::compact:
            return "it is compacted, then devices wait";
        case storage::OnFull::thin:
            return "it is thinned, then the oldest is dropped";
    }
    return "?";
}

void print_stream(std::ostream& out, const std::string& name, const StreamConfig& stream, bool forwards) {
    const auto& log = stream.log;
    const bool sent = forwards && stream.forward;
    out << "  " << name << (sent ? " -> Kafka topic " + stream.kafka_topic.value_or(name) : " stays here");
    out << "\n    " << name_of(log.durability) << ", compression " << storage::to_string(log.compression)
        << ", segments of " << format_size(log.segment_bytes) << " or " << format_duration(log.segment_age) << ", kept "
        << (log.retention ? format_duration(*log.retention) : std::string("for ever"));
    if (log.retention_bytes) out << " and up to " << format_size(*log.retention_bytes);
    if (sent) out << (log.hold_until_forwarded ? ", and until forwarded" : ", forwarded or not");
    out << "\n    " << name_of(log.cleanup) << "; on a full disk " << name_of(log.on_full) << ", priority "
        << log.priority << '\n';
}

void print_kafka(std::ostream& out, const Config& config) {
    if (!config.kafka) {
        out << "kafka\n  none: nothing is forwarded, records stay on the gateway\n";
        return;
    }
    const auto& kafka = *config.kafka;
    const bool once = kafka.delivery == bridge::kafka::Delivery::exactly_once;
    out << "kafka\n  " << kafka.brokers << (once ? ", exactly-once" : ", at-least-once") << ", compression "
        << kafka.compression << ", up to " << format_size(kafka.inflight_bytes) << " in flight\n";
    if (once) {
        out << "  a transaction for " << format_duration(kafka.transaction.interval) << ", positions in topic "
            << kafka.position_topic << '\n';
    }
    out << "  missing topics are ";
    if (kafka.topics == bridge::kafka::TopicPolicy::check) {
        out << "reported, and their streams held\n";
    } else {
        out << "created with " << kafka.partitions << (kafka.partitions == 1 ? " partition" : " partitions")
            << " and the " << (kafka.replication_factor < 0 ? "broker's" : std::to_string(kafka.replication_factor))
            << (kafka.replication_factor < 0 ? " number of replicas\n" : " replicas\n");
    }
    for (const auto& [name, value] : kafka.properties) {
        out << "  " << name << " = " << (is_secret_property(name) ? kHidden : value) << '\n';
    }
}

std::string description(const Config& config) {
    std::ostringstream out;
    out << "agent " << config.id << ", data in " << config.data_dir << ", stops within "
        << format_duration(config.shutdown_timeout) << '\n';
    print_listener(out, config);
    print_sources(out, config);
    print_routes(out, config);
    print_rules(out, config);
    out << "streams\n";
    for (const auto& [name, stream] : config.streams) print_stream(out, name, stream, config.kafka.has_value());
    out << "storage\n  commits "
        << (config.commit.commit_interval.count() == 0 ? std::string("as fast as the disk syncs")
                                                       : "every " + format_duration(config.commit.commit_interval))
        << ", queue of up to " << config.commit.queue_records_max << " records and "
        << format_size(config.commit.queue_bytes_max) << " a stream\n  "
        << (config.quota_bytes == storage::DiskBudget::kUnlimited ? std::string("no quota: the logs may fill the disk")
                                                                  : "quota " + format_size(config.quota_bytes))
        << '\n';
    print_kafka(out, config);
    return out.str();
}

}  // namespace

int check_command(const ConfigArguments& arguments) {
    const auto loaded = load_config(arguments.file, arguments.overrides);
    std::cerr << loaded.text();
    const auto count = [](std::size_t n, const char* what) {
        return std::to_string(n) + " " + what + (n == 1 ? "" : "s");
    };
    const auto total = count(loaded.errors.size(), "error") + ", " + count(loaded.warnings.size(), "warning");
    if (!loaded.config) {
        std::cerr << arguments.file << ": " << total << '\n';
        return kExitBadConfig;
    }
    storage::PosixFileSystem files;
    // Who checks may not be who runs it: what can't be looked into is not told.
    if (const auto unused = unused_streams(*loaded.config, files)) {
        for (const auto& each : *unused) std::cerr << "warning: " << to_string(each) << '\n';
    }
    std::cout << description(*loaded.config) << arguments.file << ": good, " << total << std::endl;
    return std::cout ? kExitSuccess : kExitFailure;
}

}  // namespace sluice::agent
