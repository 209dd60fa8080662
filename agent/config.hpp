// config.hpp: the configuration as the parts need it. config_file.hpp reads it from TOML; this file has no TOML in it.
#pragma once

#include "agent/admin/options.hpp"
#include "bridge/kafka/options.hpp"
#include "bridge/mqtt/listener.hpp"
#include "bridge/mqtt/source_options.hpp"
#include "bridge/report.hpp"
#include "bridge/route/route.hpp"
#include "models/rules/rule_set.hpp"
#include "storage/cleaner.hpp"
#include "storage/delivery_ledger.hpp"
#include "storage/group_commit.hpp"
#include "storage/log.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace sluice::agent {

/// A stream as configured: where its records are kept and where they go.
struct StreamConfig {
    storage::LogOptions log;
    std::optional<std::string> kafka_topic;                ///< default: the stream's name
    bool forward = true;                                   ///< false: the records stay on the gateway
    double forward_weight = bridge::kafka::kNormalWeight;  ///< forward_priority
    bridge::kafka::StreamTarget::Order order = bridge::kafka::StreamTarget::Order::fifo;
    double backlog_share = 0.5;  ///< with live_first
};

/// A [[rule]] or [[derive]], and the stream whose records it looks at.
struct RuleConfig {
    std::string stream;
    models::rules::RuleSource source;
};

struct RulesConfig {
    std::vector<RuleConfig> rules;                                  ///< names differ, and all of them compile
    models::LifeModels models;                                      ///< that rules may name
    std::optional<std::string> hash_key;                            ///< of derivations: of `hash`, {device_hash}
    std::size_t devices_max = models::rules::RuleSet::kDevicesMax;  ///< of a stream's rules

    /// The streams that have rules, in order, each with its rules as they are configured.
    [[nodiscard]] std::map<std::string, std::vector<models::rules::RuleSource>> by_stream() const;
};

enum class LogFormat : std::uint8_t { text, logfmt, json, journald };

struct Config {
    std::string id;
    std::string data_dir = "/var/lib/sluice";
    std::chrono::milliseconds shutdown_timeout{10'000};
    bridge::Severity log_level = bridge::Severity::info;  ///< what is less severe is not written
    LogFormat log_format = LogFormat::text;
    std::optional<bridge::mqtt::ListenerOptions> listener;
    std::vector<bridge::mqtt::SourceOptions> sources;
    std::vector<bridge::RouteOptions> routes;
    /// Every stream that a route names, every [stream.*] table, and the agent's own streams (dead letters, events).
    std::map<std::string, StreamConfig> streams;
    RulesConfig rules;
    storage::GroupCommitOptions commit;
    std::uint64_t quota_bytes = storage::DiskBudget::kUnlimited;  ///< what the logs may take of the disk together
    std::optional<std::uint64_t> flash_endurance_bytes;           ///< what may be written to the medium in its life
    storage::CleanerOptions cleaner;
    std::optional<bridge::kafka::ClusterOptions> kafka;  ///< nullopt: keep records, forward nothing
    std::optional<storage::DeliveryOptions> proofs;      ///< of delivery; nullopt: none are kept
    admin::AdminOptions admin;
};

inline constexpr const char* kDeadLetterStream = "sluice.dead-letter";
inline constexpr const char* kProofsDirectory = "delivery";  ///< in the data directory
inline constexpr const char* kEventsStream = "sluice.events";
inline constexpr const char* kAlertsStream = "alerts";  // there is one where there are rules or derivations

}  // namespace sluice::agent
