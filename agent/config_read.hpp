// config_read.hpp: the sections of the configuration, each read by a function of its own.
//
// They report what is wrong and go on, so that all faults come out at once. What they leave behind is meaningful only
// where no error was reported.
#pragma once

#include "agent/config.hpp"
#include "agent/config_section.hpp"
#include "bridge/mqtt/topic_filter.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::agent {

/// Streams whose names begin so are the agent's own.
inline constexpr std::string_view kOwnStreamPrefix = "sluice.";

/// agent.data_dir alone
void read_data_dir(ConfigSection& agent, std::string& data_dir);
/// [agent]
void read_agent(ConfigSection& top, Config& config);
/// [listener.mqtt], before the sources: one of the two is needed.
void read_listener(ConfigSection& top, Config& config);
/// [[source.mqtt]], after [agent]: client ids are made from the agent's id.
void read_sources(ConfigSection& top, Config& config);
/// [[route]], after the sources: a route that none of them can feed is a warning.
void read_routes(ConfigSection& top, Config& config);
/// [stream.*], after the routes, which name streams too.
void read_streams(ConfigSection& top, Config& config);
/// [rules], [[rule]] and [[derive]], after the streams, which rules name.
void read_rules(ConfigSection& top, Config& config);
/// Likewise without a look at streams and routes: for tools that only run rules.
void read_rules_alone(ConfigSection& top, RulesConfig& rules);
/// What [[rule]] and [[derive]] have in common: name, stream, where, by, lateness.
void read_what_and_where(ConfigSection& section, RuleConfig& rule);
/// One [[derive]]. @return whether there is something to compile
[[nodiscard]] bool read_derivation(ConfigSection& section, RuleConfig& rule, bool has_hash_key);
/// @param sections  of config.rules.rules
void check_derived_streams(std::vector<ConfigSection>& sections, const Config& config);
/// [storage]
void read_storage(ConfigSection& top, Config& config);
/// [kafka]
void read_kafka(ConfigSection& top, Config& config);
/// [uplink], after [kafka], which it belongs to.
void read_uplink(ConfigSection& top, Config& config);
/// [admin]
void read_admin(ConfigSection& top, Config& config);

/// The filter that a subscription's messages match: without "$share/GROUP/".
/// @return Errc::invalid for what MQTT forbids, and for captures, which only routes have
[[nodiscard]] storage::Result<bridge::mqtt::TopicFilter> subscribed_filter(std::string_view topic);

/// Reports what is wrong with the files behind a section's keys ca_file, cert_file and key_file.
void check_tls_files(ConfigSection& section, const std::optional<std::string>& ca_file,
                     const std::optional<std::string>& cert_file, const std::optional<std::string>& key_file);

/// A section of `parent`, which may be missing: "kafka" in the top, "tls" in [[source.mqtt]].
[[nodiscard]] ConfigSection subsection(ConfigSection& parent, std::string_view key);
/// One table of an array of tables of `parent`.
[[nodiscard]] ConfigSection array_section(ConfigSection& parent, std::string_view key, const ConfigValue& table);

}  // namespace sluice::agent
