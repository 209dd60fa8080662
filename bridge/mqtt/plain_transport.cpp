#include "bridge/mqtt/broker.hpp"
#include "bridge/mqtt/transport.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>

#include <utility>

namespace sluice::bridge::mqtt {

namespace {

namespace asio = boost::asio;
using boost::system::error_code;

/// A TCP or Unix socket.
class PlainTransport final : public OpenTransport {
 public:
    PlainTransport(Server server, Socket socket, Peer peer)
        : server_(server), socket_(std::move(socket)), connection_(server.broker, *this, std::move(peer)) {}

    void start() override {
        server_.transports.insert(shared_from_this());
        error_code ignored;
        socket_.non_blocking(true, ignored);
        wait_for_input();
    }
    void stop() override {}  // its connection begins with it
    void wake() override {
        if (std::exchange(woken_, true)) return;
        asio::post(socket_.get_executor(), [self = self()] {
            self->woken_ = false;
            self->go_on();
        });
    }

 private:
    std::shared_ptr<PlainTransport> self() { return std::static_pointer_cast<PlainTransport>(shared_from_this()); }

    void wait_for_input() {
        if (reading_ || !connection_.wants_input() || !socket_.is_open()) return;
        reading_ = true;
        socket_.async_wait(Socket::wait_read, [self = self()](error_code error) {
            self->reading_ = false;
            if (!error) self->read();
        });
    }

    void read() {
        error_code error;
        const auto got = socket_.read_some(asio::buffer(server_.read_buffer), error);
        if (error == asio::error::would_block) return wait_for_input();
        if (error) return lose();
        const std::string_view bytes(server_.read_buffer.data(), got);
        if (unread_.empty()) {
            unread_ = bytes.substr(connection_.take(bytes));
        } else {
            unread_ += bytes;
            unread_.erase(0, connection_.take(unread_));
        }
        go_on();
    }

    void go_on() {
        if (!socket_.is_open()) return;
        if (!unread_.empty() && connection_.wants_input()) unread_.erase(0, connection_.take(unread_));
        if (unread_.empty() && unread_.capacity() > kKeptBytes) unread_.shrink_to_fit();
        const bool waited = !connection_.wants_input();
        write();
        if (waited && connection_.wants_input()) wake();  // there may be more in unread_
        wait_for_input();
    }

    void write() {
        auto& out = connection_.out();
        while (written_ < out.size()) {
            error_code error;
            const auto n = socket_.write_some(asio::buffer(out.data() + written_, out.size() - written_), error);
            if (error == asio::error::would_block) {
                out.erase(0, std::exchange(written_, 0));
                return wait_for_output();
            }
            if (error) return lose();
            written_ += n;
        }
        out.clear();
        written_ = 0;
        if (out.capacity() > kKeptBytes) out.shrink_to_fit();
        if (connection_.is_closing()) return finish();
        connection_.pump();
        if (!out.empty()) wake();
    }

    void wait_for_output() {
        if (std::exchange(writing_, true)) return;
        socket_.async_wait(Socket::wait_write, [self = self()](error_code error) {
            self->writing_ = false;
            if (!error) self->go_on();
        });
    }

    /// Everything is written: the other end sees that before the end of the connection.
    void finish() {
        error_code ignored;
        socket_.shutdown(Socket::shutdown_send, ignored);
        // What it still sends would make the kernel answer with a reset, which may overtake our last bytes.
        for (std::size_t i = 0; i < 16 && !ignored; ++i) socket_.read_some(asio::buffer(server_.read_buffer), ignored);
        lose();
    }

    void lose() {
        connection_.on_lost();
        error_code ignored;
        socket_.close(ignored);
        server_.transports.erase(shared_from_this());
    }

    Server server_;
    Socket socket_;
    Connection connection_;
    std::string unread_;
    std::size_t written_ = 0;
    bool reading_ = false;
    bool writing_ = false;
    bool woken_ = false;
};

}  // namespace

std::shared_ptr<OpenTransport> make_plain(Server server, Socket socket, Peer peer) {
    return std::make_shared<PlainTransport>(server, std::move(socket), std::move(peer));
}

}  // namespace sluice::bridge::mqtt
