// MQTT over WebSocket (MQTT 5 section 6, RFC 6455): binary frames, the subprotocol "mqtt", any path.
#include "bridge/mqtt/byte_stream.hpp"
#include "bridge/mqtt/stream_transport.hpp"

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <boost/beast/websocket/stream.hpp>

namespace sluice::bridge::mqtt {

namespace {

namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;
using boost::system::error_code;
using Stream = websocket::stream<ByteStream&, false>;  // without compression
using Done = ByteStream::Done;

constexpr const char* kSubprotocol = "mqtt";  // [MQTT-6.0.0-3]
constexpr std::size_t kRequestBytesMax = 8192;

/// The HTTP request that opens a WebSocket, and the answer to one that doesn't.
struct Upgrade {
    Upgrade() { parser.body_limit(0); }
    beast::flat_buffer buffer{kRequestBytesMax};
    http::request_parser<http::string_body> parser{};
    http::response<http::string_body> refusal{};
};

bool asks_for_mqtt(const http::request<http::string_body>& request) {
    if (!websocket::is_upgrade(request)) return false;
    http::token_list offered(request[http::field::sec_websocket_protocol]);
    return offered.exists(kSubprotocol);
}

struct WebSocketTraits {
    std::unique_ptr<ByteStream> below;

    static void handshake(Stream& stream, Peer& peer, Done done) {
        stream.next_layer().handshake(peer, [&stream, done = std::move(done)](error_code error) mutable {
            if (error) return done(error);
            auto upgrade = std::make_shared<Upgrade>();
            auto& request = *upgrade;
            http::async_read(stream.next_layer(), request.buffer, request.parser,
                             [&stream, upgrade = std::move(upgrade), done = std::move(done)](
                                 error_code failed, std::size_t /*read*/) mutable {
                                 if (failed) return done(failed);
                                 if (asks_for_mqtt(upgrade->parser.get()))
                                     return accept(stream, *upgrade, std::move(done));
                                 refuse(stream, std::move(upgrade), std::move(done));
                             });
        });
    }

    static void accept(Stream& stream, const Upgrade& upgrade, Done done) {
        stream.binary(true);
        stream.auto_fragment(false);
        stream.set_option(websocket::stream_base::decorator([](websocket::response_type& response) {
            response.set(http::field::sec_websocket_protocol, kSubprotocol);
            response.set(http::field::server, "sluice");
        }));
        stream.async_accept(upgrade.parser.get(), std::move(done));
    }

    static void refuse(Stream& stream, std::shared_ptr<Upgrade> upgrade, Done done) {
        auto& refusal = upgrade->refusal;
        refusal.result(http::status::bad_request);
        refusal.set(http::field::content_type, "text/plain");
        refusal.body() = "MQTT over WebSocket (subprotocol \"mqtt\") is served here.\n";
        refusal.keep_alive(false);
        refusal.prepare_payload();
        http::async_write(stream.next_layer(), refusal,
                          [upgrade = std::move(upgrade), done = std::move(done)](error_code, std::size_t) mutable {
                              done(websocket::error::no_sec_key);
                          });
    }

    static void write(Stream& stream, const std::string& bytes, ByteStream::Moved done) {
        stream.async_write(boost::asio::buffer(bytes), std::move(done));
    }
    static void farewell(Stream& stream, Done done) {
        stream.async_close(websocket::close_code::normal, std::move(done));
    }
    static bool takes(Stream& stream) { return stream.got_binary(); }  // [MQTT-6.0.0-1]
    static Socket& socket_of(Stream& stream) { return stream.next_layer().socket(); }
};

using WebSocketTransport = StreamTransport<Stream, WebSocketTraits>;

}  // namespace

std::shared_ptr<OpenTransport> make_websocket(Server server, Socket socket, Peer peer, TlsContext context) {
    auto below =
        context ? ByteStream::tls(std::move(socket), std::move(context)) : ByteStream::plain(std::move(socket));
    auto& used = *below;
    return std::make_shared<WebSocketTransport>(server, std::move(peer), WebSocketTraits{std::move(below)}, used);
}

}  // namespace sluice::bridge::mqtt
