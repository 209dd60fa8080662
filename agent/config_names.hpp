// config_names.hpp: which names are legal.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sluice::agent {

/// Kafka's rule for topics, which holds for streams too: 1 to 249 of a-z A-Z 0-9 . _ -, and neither "." nor "..".
[[nodiscard]] bool is_kafka_topic_name(std::string_view name);

/// The identity of an agent or a source: 1 to 128 of a-z A-Z 0-9 . _ : - [ ]. It becomes part of client ids, log lines
/// and keys.
[[nodiscard]] bool is_identity(std::string_view name);

/// The host and port of "host:port" or "[v6]:port"; nullopt where it is not that.
struct HostPort {
    std::string host;  ///< an IPv6 address keeps its brackets
    int port = 0;
};
[[nodiscard]] std::optional<HostPort> parse_host_port(std::string_view text);

/// The first of "host:port,host:port" that is not a host and a port.
[[nodiscard]] std::optional<std::string> bad_broker(std::string_view brokers);

}  // namespace sluice::agent
