// byte_stream.hpp: TCP, or TLS over it, as one type.
//
// Beast's WebSocket is a template of the stream below it, and takes minutes to compile for two of them, with their
// buffers and handlers of a hundred types. Here they all end in two virtual functions. For websocket_transport.cpp.
#pragma once

#include "bridge/mqtt/transport.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/core/role.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

namespace sluice::bridge::mqtt {

class ByteStream {
 public:
    using error_code = boost::system::error_code;
    using Moved = std::function<void(error_code, std::size_t)>;
    using Done = std::function<void(error_code)>;
    using executor_type = Socket::executor_type;

    static std::unique_ptr<ByteStream> plain(Socket socket);
    static std::unique_ptr<ByteStream> tls(Socket socket, TlsContext context);

    ByteStream() = default;
    ByteStream(const ByteStream&) = delete;
    ByteStream& operator=(const ByteStream&) = delete;
    virtual ~ByteStream() = default;

    /// What TLS begins with, as the server; `peer` is known by its certificate then.
    virtual void handshake(Peer& peer, Done done) = 0;
    /// Tells the other side, and waits until it has closed too (RFC 6455 section 7.1.1).
    virtual void shut_down(Done done) = 0;
    virtual Socket& socket() = 0;

    /// A handler as a function, which can be copied while a handler can only be moved. To be called once.
    template <class Function, class Handler>
    static Function without_type(Handler&& handler) {
        auto kept = std::make_shared<std::decay_t<Handler>>(std::forward<Handler>(handler));
        return [kept = std::move(kept)](auto... result) {
            auto once = std::move(*kept);
            once(result...);
        };
    }

    // As Asio's AsyncReadStream and AsyncWriteStream; a handler is called with (error_code, size).
    executor_type get_executor() { return socket().get_executor(); }
    template <class Buffers, class Handler>
    void async_read_some(const Buffers& buffers, Handler&& handler) {
        const auto first = boost::asio::buffer_sequence_begin(buffers);
        read_some(first == boost::asio::buffer_sequence_end(buffers) ? boost::asio::mutable_buffer() : *first,
                  without_type<Moved>(std::forward<Handler>(handler)));
    }
    template <class Buffers, class Handler>
    void async_write_some(const Buffers& buffers, Handler&& handler) {
        write_some({boost::asio::buffer_sequence_begin(buffers), boost::asio::buffer_sequence_end(buffers)},
                   without_type<Moved>(std::forward<Handler>(handler)));
    }

 private:
    virtual void read_some(boost::asio::mutable_buffer buffer, Moved moved) = 0;
    virtual void write_some(std::vector<boost::asio::const_buffer> buffers, Moved moved) = 0;
};

/// How Beast ends and aborts a connection over it.
template <class Handler>
void async_teardown(boost::beast::role_type /*server*/, ByteStream& stream, Handler&& handler) {
    stream.shut_down(ByteStream::without_type<ByteStream::Done>(std::forward<Handler>(handler)));
}
void beast_close_socket(ByteStream& stream);

}  // namespace sluice::bridge::mqtt
