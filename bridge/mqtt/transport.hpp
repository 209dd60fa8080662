// transport.hpp: what carries connections: plain sockets, TLS, and WebSocket over both.
//
// A transport lives as long as it is open, and as the operations that wait on it. All of them run on the server's
// thread. Each kind is in a file of its own, as their headers are heavy.
#pragma once

#include "bridge/mqtt/connection.hpp"

#include <boost/asio/generic/stream_protocol.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <memory>
#include <unordered_set>

namespace boost::asio::ssl {
class context;
}

namespace sluice::bridge::mqtt {

class Broker;
using Socket = boost::asio::generic::stream_protocol::socket;
using TlsContext = std::shared_ptr<boost::asio::ssl::context>;

class OpenTransport : public Transport, public std::enable_shared_from_this<OpenTransport> {
 public:
    virtual void start() = 0;
    /// The server ends: one whose connection has not begun yet closes.
    virtual void stop() = 0;
};

inline constexpr std::size_t kReadBytes = 64U << 10U;

/// What the connections of one server share.
struct Server {
    Broker& broker;
    std::array<char, kReadBytes>& read_buffer;                       // for plain sockets: an idle one costs none
    std::unordered_set<std::shared_ptr<OpenTransport>>& transports;  // that are open
    std::chrono::seconds handshake_timeout;
};

/// What a buffer may keep while nothing is in it.
inline constexpr std::size_t kKeptBytes = 512;

[[nodiscard]] std::shared_ptr<OpenTransport> make_plain(Server server, Socket socket, Peer peer);
[[nodiscard]] std::shared_ptr<OpenTransport> make_tls(Server server, Socket socket, Peer peer, TlsContext context);
/// @param context  nullptr: without TLS
[[nodiscard]] std::shared_ptr<OpenTransport> make_websocket(Server server, Socket socket, Peer peer,
                                                            TlsContext context);

}  // namespace sluice::bridge::mqtt
