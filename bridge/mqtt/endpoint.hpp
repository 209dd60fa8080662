// endpoint.hpp: the addresses that a server can be bound to, as people write them.
#pragma once

#include <boost/asio/generic/stream_protocol.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace sluice::bridge::mqtt {

using StreamEndpoint = boost::asio::generic::stream_protocol::endpoint;

/// "127.0.0.1:1883", "[::1]:1883", "unix:/run/sluice/mqtt.sock"; names are not looked up.
[[nodiscard]] std::optional<StreamEndpoint> parse_endpoint(std::string_view text);
inline constexpr const char* kEndpointForm =
    "such as \"127.0.0.1:1883\", \"[::]:1883\" or \"unix:/run/sluice/mqtt.sock\"";
/// The other way round.
[[nodiscard]] std::string to_string(const StreamEndpoint& endpoint);
[[nodiscard]] bool is_loopback(const StreamEndpoint& endpoint);

}  // namespace sluice::bridge::mqtt
