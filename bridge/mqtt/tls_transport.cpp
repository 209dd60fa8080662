#include "bridge/mqtt/stream_transport.hpp"
#include "bridge/mqtt/tls_context.hpp"

#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>

namespace sluice::bridge::mqtt {

namespace {

namespace ssl = boost::asio::ssl;
using TlsStream = ssl::stream<Socket>;

struct TlsTraits {
    TlsContext context;  // as long as a connection needs it

    template <class Done>
    static void handshake(TlsStream& stream, Peer& peer, Done done) {
        stream.async_handshake(ssl::stream_base::server,
                               [&stream, &peer, done = std::move(done)](boost::system::error_code error) mutable {
                                   if (!error) peer.certificate_subject = certificate_subject(stream.native_handle());
                                   done(error);
                               });
    }
    template <class Done>
    static void write(TlsStream& stream, const std::string& bytes, Done done) {
        boost::asio::async_write(stream, boost::asio::buffer(bytes), std::move(done));
    }
    template <class Done>
    static void farewell(TlsStream& stream, Done done) {
        stream.async_shutdown(std::move(done));
    }
    static bool takes(TlsStream& /*stream*/) { return true; }
    static Socket& socket_of(TlsStream& stream) { return stream.next_layer(); }
};

}  // namespace

std::shared_ptr<OpenTransport> make_tls(Server server, Socket socket, Peer peer, TlsContext context) {
    auto& used = *context;
    return std::make_shared<StreamTransport<TlsStream, TlsTraits>>(
        server, std::move(peer), TlsTraits{std::move(context)}, std::move(socket), used);
}

}  // namespace sluice::bridge::mqtt
