// endpoint.hpp: the addresses that a server can be bound to, as people write them.
#pragma once

#include <boost/asio/generic/stream_protocol.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace sluice::bridge::mqtt {

using StreamEndpoint = boost::asio::generic::stream_protocol::endpoint;

struct ListenAddress {
    StreamEndpoint endpoint{};
    bool tls = false;
    bool websocket = false;
};

/// "127.0.0.1:1883", "tls://[::]:8883", "ws://127.0.0.1:9001", "wss://0.0.0.0:9443", "unix:/run/sluice/mqtt.sock";
/// names are not looked up.
[[nodiscard]] std::optional<ListenAddress> parse_listen_address(std::string_view text);
inline constexpr const char* kListenAddressForm =
    "such as \"127.0.0.1:1883\", \"tls://[::]:8883\", \"ws://127.0.0.1:9001\" or \"unix:/run/sluice/mqtt.sock\"";
/// The other way round.
[[nodiscard]] std::string to_string(const StreamEndpoint& endpoint);
/// Without the port.
[[nodiscard]] std::string host_of(const StreamEndpoint& endpoint);
[[nodiscard]] bool is_loopback(const StreamEndpoint& endpoint);

}  // namespace sluice::bridge::mqtt
