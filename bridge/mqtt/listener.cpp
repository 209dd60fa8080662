#include "bridge/mqtt/listener.hpp"

#include "bridge/mqtt/access_gate.hpp"
#include "bridge/mqtt/broker.hpp"
#include "bridge/mqtt/endpoint.hpp"
#include "bridge/mqtt/transport.hpp"

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <deque>
#include <future>
#include <map>
#include <thread>
#include <unordered_set>
#include <utility>

namespace sluice::bridge::mqtt {

namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using SocketAcceptor = asio::basic_socket_acceptor<asio::generic::stream_protocol>;

constexpr auto kTick = std::chrono::milliseconds(200);
constexpr auto kTickOfStop = std::chrono::milliseconds(5);
constexpr auto kFarewellTimeout = std::chrono::seconds(1);
constexpr auto kAcceptPause = std::chrono::milliseconds(100);

struct Door {
    ListenAddress address;
    std::unique_ptr<SocketAcceptor> acceptor;
};

/// What is in files that may change while the agent runs.
struct Secrets {
    std::shared_ptr<const Access> access;
    TlsContext tls;
};

storage::Result<Secrets> load_secrets(const ListenerOptions& options) {
    Secrets secrets;
    auto access = Access::load(options.access);
    if (!access) return access.error();
    secrets.access = std::move(*access);
    if (!options.tls.cert_file) return secrets;
    auto tls = make_tls_context(options.tls);
    if (!tls) return tls.error();
    secrets.tls = std::move(*tls);
    return secrets;
}

}  // namespace

class Listener::Impl {
 public:
    Impl(ListenerOptions options, Secrets secrets, std::unique_ptr<SessionStore> store, Acceptor& acceptor,
         const storage::Clock& clock, Report report)
        : options_(std::move(options)),
          report_(report),
          tls_(std::move(secrets.tls)),
          store_(std::move(store)),
          gate_(std::move(secrets.access), [this](std::function<void()> task) { asio::post(io_, std::move(task)); }),
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
            const auto address = parse_listen_address(text);
            if (!address) return storage::Error(storage::Errc::invalid, text + " is no address to listen on");
            const auto* endpoint = &address->endpoint;
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
            acceptors_.push_back({*address, std::move(acceptor)});
        }
        return {};
    }

    void run() {
        broker_.start();
        for (auto& door : acceptors_) accept(door);
        tick();
        thread_ = std::thread([this] {
            ::pthread_setname_np(::pthread_self(), "net");
            io_.run();
        });
    }

    storage::Result<void> reload(const ListenerOptions& options) {
        auto secrets = load_secrets(options);
        if (!secrets) return secrets.error();
        asio::post(io_, [this, fresh = std::move(*secrets), options] {
            options_.access = options.access;
            options_.tls = options.tls;
            options_.connections_max = options.connections_max;
            options_.connections_an_address_max = options.connections_an_address_max;
            options_.connection_rate_max = options.connection_rate_max;
            broker_.set_limits(options.broker.message_rate_max, options.broker.subscriptions_max);
            gate_.replace(fresh.access);
            tls_ = fresh.tls;
            broker_.reconsider();
        });
        return {};
    }

    void stop(std::chrono::steady_clock::time_point deadline) {
        if (!thread_.joinable()) return;
        std::promise<void> said;
        asio::post(io_, [&] {
            stopping_ = true;
            for (auto& door : acceptors_) door.acceptor->close();
            broker_.shut_down();
            const auto open = transports_;  // stop() takes them out
            for (const auto& transport : open) transport->stop();
            tick();
            said.set_value();
        });
        said.get_future().wait();
        // One that doesn't read must not hold the others up.
        deadline = std::min(deadline, std::chrono::steady_clock::now() + kFarewellTimeout);
        while (open_ > 0 && std::chrono::steady_clock::now() < deadline) {
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
        io_.stop();
        thread_.join();
        store_->stop();
    }

    void publish(Message message) {
        asio::post(io_,
                   [this, message = std::move(message)]() mutable { broker_.publish(std::move(message), nullptr); });
    }

    [[nodiscard]] Status status() const {
        const auto& counters = broker_.counters();
        return {counters.connections,
                counters.sessions,
                counters.subscriptions,
                counters.retained,
                counters.received,
                counters.accepted,
                counters.local_only,
                counters.sent,
                counters.dropped,
                counters.refused,
                counters.not_authorized,
                counters.faults,
                counters.acknowledgement.read()};
    }
    [[nodiscard]] std::uint16_t port() const {
        const auto text = to_string(acceptors_.front().acceptor->local_endpoint());
        return static_cast<std::uint16_t>(std::stoi(text.substr(text.rfind(':') + 1)));
    }

 private:
    void accept(Door& door) {
        door.acceptor->async_accept([this, &door](error_code error, Socket socket) {
            if (stopping_) return;
            if (error) {
                // No file descriptors are left, most likely: trying again at once would only burn the processor.
                trouble_.trouble("cannot accept a connection: " + error.message(), std::chrono::steady_clock::now());
                return accept_after(door, kAcceptPause);
            }
            welcome(door, std::move(socket));
            accept_after(door, wait_of_next());
        });
    }

    void accept_after(Door& door, std::chrono::nanoseconds pause) {
        if (pause.count() <= 0) return accept(door);
        auto timer = std::make_shared<asio::steady_timer>(io_, pause);
        timer->async_wait([this, &door, timer](error_code) {
            if (!stopping_) accept(door);
        });
    }

    /// Until the connection rate allows the next one; a second's worth may come at once.
    std::chrono::nanoseconds wait_of_next() {
        const auto now = std::chrono::steady_clock::now();
        const std::chrono::nanoseconds each =
            std::chrono::nanoseconds(std::chrono::seconds(1)) / options_.connection_rate_max;
        next_connection_ = std::max(next_connection_, now - std::chrono::seconds(1)) + each;
        return next_connection_ - now;
    }

    void welcome(const Door& door, Socket socket) {
        const auto refuse = [this](const std::string& why) {
            ++broker_.counting().refused;
            broker_.tell(Severity::warning, why);
        };
        if (transports_.size() >= options_.connections_max) {
            return refuse("more than " + std::to_string(options_.connections_max) +
                          " connections: others are closed (listener.mqtt.max_connections)");
        }
        error_code error;
        const auto remote = socket.remote_endpoint(error);
        if (error) return;  // gone already
        Peer peer{to_string(remote), {}, is_loopback(remote), place_of(remote)};
        if (!peer.place) {
            return refuse("more than " + std::to_string(options_.connections_an_address_max) + " connections from " +
                          host_of(remote) + ": others are closed (listener.mqtt.max_connections_per_address)");
        }
        static_cast<void>(socket.set_option(asio::ip::tcp::no_delay(true), error));  // a Unix socket has none
        const Server server{broker_, read_buffer_, transports_, options_.broker.connect_timeout};
        const auto context = door.address.tls ? tls_ : nullptr;
        if (door.address.websocket)
            make_websocket(server, std::move(socket), std::move(peer), context)->start();
        else if (context)
            make_tls(server, std::move(socket), std::move(peer), context)->start();
        else
            make_plain(server, std::move(socket), std::move(peer))->start();
        open_ = transports_.size();
    }

    /// nullptr: its address has too many.
    std::shared_ptr<void> place_of(const StreamEndpoint& remote) {
        if (options_.connections_an_address_max == 0) return std::make_shared<int>();
        const auto host = host_of(remote);
        auto& count = connections_of_[host];
        if (count >= options_.connections_an_address_max) return nullptr;
        ++count;
        return {&count, [this, host](void* /*count*/) {
                    if (--connections_of_[host] == 0) connections_of_.erase(host);
                }};
    }

    void tick() {
        timer_.expires_after(stopping_ ? kTickOfStop : kTick);
        timer_.async_wait([this](error_code error) {
            if (error) return;
            broker_.tick(std::chrono::steady_clock::now());
            open_ = transports_.size();
            tick();
        });
    }

    ListenerOptions options_;
    const Report report_;
    TroubleReport trouble_{report_, "mqtt"};
    TlsContext tls_;
    std::array<char, kReadBytes> read_buffer_{};
    std::unique_ptr<SessionStore> store_;
    AccessGate gate_;
    std::map<std::string, std::size_t> connections_of_;  // by address
    Broker broker_;
    asio::io_context io_{1};  // its handlers own the connections, which need the broker to their end
    asio::steady_timer timer_{io_};
    std::deque<Door> acceptors_;
    std::unordered_set<std::shared_ptr<OpenTransport>> transports_;
    std::atomic<std::size_t> open_{0};  // of them, for other threads
    std::chrono::steady_clock::time_point next_connection_{};
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
    auto secrets = load_secrets(options);
    if (!secrets) return secrets.error();
    auto store = SessionStore::open(sessions_file, report);
    if (!store) return store.error();
    auto impl = std::make_unique<Impl>(std::move(options), std::move(*secrets), std::move(*store), acceptor, clock,
                                       std::move(report));
    if (auto done = impl->bind(); !done) return done.error();
    impl->run();
    return std::unique_ptr<Listener>(new Listener(std::move(impl)));
}

void Listener::stop(std::chrono::steady_clock::time_point deadline) {
    impl_->stop(deadline);
}

storage::Result<void> Listener::reload(const ListenerOptions& options) {
    return impl_->reload(options);
}

void Listener::publish(Message message) {
    impl_->publish(std::move(message));
}

Listener::Status Listener::status() const {
    return impl_->status();
}

std::uint16_t Listener::port() const {
    return impl_->port();
}

}  // namespace sluice::bridge::mqtt
