#include "bridge/mqtt/endpoint.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>

#include <charconv>
#include <cstring>

namespace sluice::bridge::mqtt {

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

constexpr std::string_view kUnix = "unix:";

/// What a generic endpoint is, as an IP one.
tcp::endpoint as_tcp(const StreamEndpoint& endpoint) {
    tcp::endpoint ip;
    ip.resize(endpoint.size());
    std::memcpy(ip.data(), endpoint.data(), endpoint.size());
    return ip;
}

std::optional<StreamEndpoint> parse_endpoint(std::string_view text) {
    if (text.starts_with(kUnix)) {
        const std::string path(text.substr(kUnix.size()));
        if (path.empty() || path.size() >= sizeof(sockaddr_un::sun_path)) return std::nullopt;
        return StreamEndpoint(asio::local::stream_protocol::endpoint(path));
    }
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) return std::nullopt;
    auto host = text.substr(0, colon);
    const auto digits = text.substr(colon + 1);
    std::uint16_t port = 0;
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (digits.empty() || parsed.ec != std::errc() || parsed.ptr != digits.data() + digits.size()) return std::nullopt;
    const bool in_brackets = host.starts_with('[') && host.ends_with(']');
    if (in_brackets) host = host.substr(1, host.size() - 2);
    boost::system::error_code error;
    const auto address = asio::ip::make_address(host, error);
    if (error || address.is_v6() != in_brackets) return std::nullopt;
    return StreamEndpoint(tcp::endpoint(address, port));
}

}  // namespace

std::optional<ListenAddress> parse_listen_address(std::string_view text) {
    ListenAddress address;
    for (const std::string_view scheme : {"tls://", "ws://", "wss://"}) {
        if (!text.starts_with(scheme)) continue;
        address.tls = scheme != "ws://";
        address.websocket = scheme != "tls://";
        text.remove_prefix(scheme.size());
        break;
    }
    const auto endpoint = parse_endpoint(text);
    if (!endpoint) return std::nullopt;
    address.endpoint = *endpoint;
    return address;
}

std::string to_string(const StreamEndpoint& endpoint) {
    const auto family = endpoint.protocol().family();
    if (family == AF_UNIX) return "a Unix socket";
    if (family != AF_INET && family != AF_INET6) return "an unknown address";
    const auto ip = as_tcp(endpoint);
    const auto host = ip.address().to_string();
    return (ip.address().is_v6() ? "[" + host + "]" : host) + ":" + std::to_string(ip.port());
}

std::string host_of(const StreamEndpoint& endpoint) {
    const auto text = to_string(endpoint);
    return text.substr(0, text.rfind(':'));
}

bool is_loopback(const StreamEndpoint& endpoint) {
    const auto family = endpoint.protocol().family();
    if (family == AF_UNIX) return true;
    return (family == AF_INET || family == AF_INET6) && as_tcp(endpoint).address().is_loopback();
}

}  // namespace sluice::bridge::mqtt
