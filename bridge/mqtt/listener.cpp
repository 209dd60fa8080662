#include "bridge/mqtt/listener.hpp"

#include "bridge/mqtt/access_gate.hpp"
#include "bridge/mqtt/broker.hpp"
#include "bridge/mqtt/endpoint.hpp"

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <pthread.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <future>
#include <thread>
#include <unordered_set>
#include <utility>

namespace sluice::bridge::mqtt {

namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using Socket = asio::generic::stream_protocol::socket;
using SocketAcceptor = asio::basic_socket_acceptor<asio::generic::stream_protocol>;

constexpr std::size_t kReadBytes = 64U << 10U;
constexpr auto kTick = std::chrono::milliseconds(200);
constexpr auto kAcceptPause = std::chrono::milliseconds(100);

class SocketTransport;

/// What the connections of one server share.
struct Server {
    Broker& broker;
    std::array<char, kReadBytes>& read_buffer;                         // one for all: an idle connection costs none
    std::unordered_set<std::shared_ptr<SocketTransport>>& transports;  // that are open
};

/// A TCP or Unix socket. It lives as long as it is open, and as the operations that wait on it.
class SocketTransport final : public Transport, public std::enable_shared_from_this<SocketTransport> {
 public:
    SocketTransport(Server server, Socket socket, Peer peer)
        : server_(server), socket_(std::move(socket)), connection_(server.broker, *this, std::move(peer)) {}

    void start() {
        server_.transports.insert(shared_from_this());
        error_code ignored;
        socket_.non_blocking(true, ignored);
        static_cast<void>(socket_.set_option(asio::ip::tcp::no_delay(true), ignored));  // a Unix socket has none
        wait_for_input();
    }
    void wake() override {
        if (std::exchange(woken_, true)) return;
        asio::post(socket_.get_executor(), [self = shared_from_this()] {
            self->woken_ = false;
            self->go_on();
        });
    }

 private:
    void wait_for_input() {
        if (reading_ || !connection_.wants_input() || !socket_.is_open()) return;
        reading_ = true;
        socket_.async_wait(Socket::wait_read, [self = shared_from_this()](error_code error) {
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
        write();
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
        socket_.async_wait(Socket::wait_write, [self = shared_from_this()](error_code error) {
            self->writing_ = false;
            if (!error && self->socket_.is_open()) self->write();
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

    static constexpr std::size_t kKeptBytes = 512;

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

class Listener::Impl {
 public:
    Impl(ListenerOptions options, std::shared_ptr<const Access> access, std::unique_ptr<SessionStore> store,
         Acceptor& acceptor, const storage::Clock& clock, Report report)
        : options_(std::move(options)),
          report_(report),
          store_(std::move(store)),
          gate_(std::move(access), options_.anonymous,
                [this](std::function<void()> task) { asio::post(io_, std::move(task)); }),
          broker_(options_.broker, acceptor, gate_, *store_, clock, std::move(report),
                  [this] { asio::post(io_, [this] { broker_.drain(); }); }) {}

    ~Impl() {  // both post to io_
        gate_.stop();
        store_->stop();
    }
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;

    storage::Result<void> bind() {
        for (const auto& text : options_.bind) {
            const auto endpoint = parse_endpoint(text);
            if (!endpoint) return storage::Error(storage::Errc::invalid, text + " is no address to listen on");
            if (text.starts_with("unix:")) ::unlink(text.substr(5).c_str());  // left by a killed agent
            auto acceptor = std::make_unique<SocketAcceptor>(io_);
            error_code error;
            acceptor->open(endpoint->protocol(), error);
            if (!error) acceptor->set_option(asio::socket_base::reuse_address(true), error);
            if (!error) acceptor->bind(*endpoint, error);
            if (!error) acceptor->listen(asio::socket_base::max_listen_connections, error);
            if (error) {
                return storage::Error(storage::Errc::io, "cannot listen on " + text + ": " + error.message());
            }
            acceptors_.push_back(std::move(acceptor));
        }
        return {};
    }

    void run() {
        broker_.start();
        for (auto& acceptor : acceptors_) accept(*acceptor);
        tick();
        thread_ = std::thread([this] {
            ::pthread_setname_np(::pthread_self(), "net");
            io_.run();
        });
    }

    void stop(std::chrono::steady_clock::time_point deadline) {
        if (!thread_.joinable()) return;
        std::promise<void> said;
        asio::post(io_, [&] {
            stopping_ = true;
            for (auto& acceptor : acceptors_) acceptor->close();
            broker_.shut_down();
            said.set_value();
        });
        said.get_future().wait();
        while (broker_.counters().connections > 0 && std::chrono::steady_clock::now() < deadline) {
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
        io_.stop();
        thread_.join();
        store_->stop();
    }

    [[nodiscard]] Status status() const {
        const auto& counters = broker_.counters();
        return {counters.connections, counters.received, counters.accepted,
                counters.local_only,  counters.sent,     counters.dropped};
    }
    [[nodiscard]] std::uint16_t port() const {
        const auto text = to_string(acceptors_.front()->local_endpoint());
        return static_cast<std::uint16_t>(std::stoi(text.substr(text.rfind(':') + 1)));
    }

 private:
    void accept(SocketAcceptor& acceptor) {
        acceptor.async_accept([this, &acceptor](error_code error, Socket socket) {
            if (stopping_) return;
            if (error) return pause(acceptor, error);
            welcome(std::move(socket));
            accept(acceptor);
        });
    }

    /// No file descriptors are left, most likely: trying again at once would only burn the processor.
    void pause(SocketAcceptor& acceptor, error_code error) {
        trouble_.trouble("cannot accept a connection: " + error.message(), std::chrono::steady_clock::now());
        auto timer = std::make_shared<asio::steady_timer>(io_, kAcceptPause);
        timer->async_wait([this, &acceptor, timer](error_code) {
            if (!stopping_) accept(acceptor);
        });
    }

    void welcome(Socket socket) {
        if (broker_.counters().connections >= options_.connections_max) {
            trouble_.trouble("more than " + std::to_string(options_.connections_max) +
                                 " connections: others are closed (listener.mqtt.max_connections)",
                             std::chrono::steady_clock::now());
            return;
        }
        error_code error;
        const auto remote = socket.remote_endpoint(error);
        Peer peer{error ? "an unknown address" : to_string(remote), {}, !error && is_loopback(remote)};
        auto transport = std::make_shared<SocketTransport>(Server{broker_, read_buffer_, transports_},
                                                           std::move(socket), std::move(peer));
        transport->start();
    }

    void tick() {
        timer_.expires_after(kTick);
        timer_.async_wait([this](error_code error) {
            if (error) return;
            broker_.tick(std::chrono::steady_clock::now());
            tick();
        });
    }

    const ListenerOptions options_;
    const Report report_;
    TroubleReport trouble_{report_, "mqtt"};
    std::array<char, kReadBytes> read_buffer_{};
    std::unique_ptr<SessionStore> store_;
    AccessGate gate_;
    Broker broker_;
    asio::io_context io_{1};  // its handlers own the connections, which need the broker to their end
    asio::steady_timer timer_{io_};
    std::vector<std::unique_ptr<SocketAcceptor>> acceptors_;
    std::unordered_set<std::shared_ptr<SocketTransport>> transports_;
    bool stopping_ = false;
    std::thread thread_;
};

Listener::Listener(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Listener::~Listener() {
    stop(std::chrono::steady_clock::now());
}

storage::Result<std::unique_ptr<Listener>> Listener::start(ListenerOptions options, const std::string& sessions_file,
                                                           Acceptor& acceptor, const storage::Clock& clock,
                                                           Report report) {
    auto access = Access::load(options.access);
    if (!access) return access.error();
    auto store = SessionStore::open(sessions_file, report);
    if (!store) return store.error();
    auto impl = std::make_unique<Impl>(std::move(options), std::move(*access), std::move(*store), acceptor, clock,
                                       std::move(report));
    if (auto done = impl->bind(); !done) return done.error();
    impl->run();
    return std::unique_ptr<Listener>(new Listener(std::move(impl)));
}

void Listener::stop(std::chrono::steady_clock::time_point deadline) {
    impl_->stop(deadline);
}

Listener::Status Listener::status() const {
    return impl_->status();
}

std::uint16_t Listener::port() const {
    return impl_->port();
}

}  // namespace sluice::bridge::mqtt
