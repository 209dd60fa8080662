#include "bridge/mqtt/byte_stream.hpp"

#include "bridge/mqtt/tls_context.hpp"

#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <boost/beast/websocket/teardown.hpp>

namespace sluice::bridge::mqtt {

namespace {

namespace asio = boost::asio;

template <class Stream>
class ByteStreamOver : public ByteStream {
 public:
    template <class... Arguments>
    explicit ByteStreamOver(Arguments&&... arguments) : stream_(std::forward<Arguments>(arguments)...) {}

    void shut_down(Done done) override {
        using boost::beast::websocket::async_teardown;  // TLS has one of its own
        async_teardown(boost::beast::role_type::server, stream_, std::move(done));
    }

 protected:
    Stream stream_;

 private:
    void read_some(asio::mutable_buffer buffer, Moved moved) override {
        stream_.async_read_some(buffer, std::move(moved));
    }
    void write_some(std::vector<asio::const_buffer> buffers, Moved moved) override {
        stream_.async_write_some(buffers, std::move(moved));
    }
};

class Plain final : public ByteStreamOver<Socket> {
 public:
    using ByteStreamOver::ByteStreamOver;
    void handshake(Peer& /*peer*/, Done done) override { done({}); }
    Socket& socket() override { return stream_; }
};

class Tls final : public ByteStreamOver<asio::ssl::stream<Socket>> {
 public:
    Tls(Socket socket, TlsContext context)
        : ByteStreamOver(std::move(socket), *context), context_(std::move(context)) {}

    void handshake(Peer& peer, Done done) override {
        stream_.async_handshake(asio::ssl::stream_base::server,
                                [this, &peer, done = std::move(done)](error_code error) {
                                    if (!error) peer.certificate_subject = certificate_subject(stream_.native_handle());
                                    done(error);
                                });
    }
    Socket& socket() override { return stream_.next_layer(); }

 private:
    TlsContext context_;  // as long as a connection needs it
};

}  // namespace

std::unique_ptr<ByteStream> ByteStream::plain(Socket socket) {
    return std::make_unique<Plain>(std::move(socket));
}

std::unique_ptr<ByteStream> ByteStream::tls(Socket socket, TlsContext context) {
    return std::make_unique<Tls>(std::move(socket), std::move(context));
}

void beast_close_socket(ByteStream& stream) {
    boost::system::error_code ignored;
    stream.socket().close(ignored);
}

}  // namespace sluice::bridge::mqtt
