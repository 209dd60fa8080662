#include "agent/admin/server.hpp"

#include "agent/admin/session.hpp"
#include "agent/unix_path.hpp"
#include "bridge/mqtt/endpoint.hpp"

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>
#include <utility>

namespace sluice::agent::admin {

namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using bridge::Severity;
using Acceptor = asio::basic_socket_acceptor<asio::generic::stream_protocol>;
using Socket = asio::generic::stream_protocol::socket;
using SteadyClock = std::chrono::steady_clock;

constexpr auto kBindRetry = std::chrono::seconds(10);
constexpr auto kAcceptPause = std::chrono::milliseconds(100);
constexpr mode_t kOwnerOnly = 0600;
constexpr auto kEventInterval = std::chrono::seconds(1);
constexpr std::size_t kQueryThreads = 1;
using Done = std::function<void(Response)>;

/// Whoever looks into the log waits for those who write it.
void be_nice() {
    constexpr int kNice = 10;
    static_cast<void>(::setpriority(PRIO_PROCESS, static_cast<id_t>(::syscall(SYS_gettid)), kNice));
}

/// One of the two ways in.
struct Door {
    Door(asio::io_context& io, std::size_t& left, bool is_unix)
        : acceptor(io), timer(io), places(left), over_unix(is_unix) {}
    Acceptor acceptor;
    asio::steady_timer timer;
    std::size_t& places;  // that are left
    const bool over_unix;
};

}  // namespace

std::string socket_path(const std::string& data_dir) {
    return data_dir + "/sluice.sock";
}

class Server::Impl {
 public:
    Impl(AdminOptions options, std::string data_dir, Router router, bridge::Report report, bridge::mqtt::TlsContext tls)
        : options_(std::move(options)),
          data_dir_(std::move(data_dir)),
          router_(std::move(router)),
          report_(report),
          trouble_(std::move(report), "admin"),
          tls_(std::move(tls)),
          site_{[this](const Request& request, Done done) { answer(request, std::move(done)); },
                [this](bool over_unix) { return over_unix || may_ask(); }, [this] { return stopping_.load(); }, feed_} {
    }

    void start() {
        open(unix_);
        if (options_.bind) open(tcp_);
        thread_ = std::thread([this] {
            ::pthread_setname_np(::pthread_self(), "admin");
            io_.run();
        });
    }

    storage::Result<std::function<void()>> prepare_reload() {
        if (!options_.tls.cert_file) return std::function<void()>([] {});
        auto fresh = bridge::mqtt::make_tls_context(options_.tls);
        if (!fresh) return fresh.error();
        return std::function<void()>(
            [this, fresh = std::move(*fresh)] { asio::post(io_, [this, fresh] { tls_ = fresh; }); });
    }

    void stop() {
        if (!thread_.joinable()) return;
        stopping_ = true;
        io_.stop();
        thread_.join();
        workers_.join();
        error_code ignored;
        unix_.acceptor.close(ignored);
        ::unlink(socket_path(data_dir_).c_str());
    }

    [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
    /// Listens, or says why not and tries again.
    void open(Door& door) {
        const auto error = door.over_unix ? bind_unix(door.acceptor) : bind_tcp(door.acceptor);
        if (!error) {
            if (!door.over_unix) trouble_.over("listens on " + *options_.bind, SteadyClock::now());
            return accept(door);
        }
        const auto what = door.over_unix ? socket_path(data_dir_) : *options_.bind;
        const auto message = "cannot listen on " + what + ": " + error.message();
        if (door.over_unix)
            report_(Severity::warning, "admin", message + " (sluice status won't find this agent)");
        else
            trouble_.trouble(message + " (no metrics there; set admin.bind to another address, or to \"off\")",
                             SteadyClock::now());
        error_code ignored;
        door.acceptor.close(ignored);
        if (!door.over_unix) later(door, kBindRetry, [this, &door] { open(door); });
    }

    error_code bind_tcp(Acceptor& acceptor) {
        const auto address = bridge::mqtt::parse_listen_address(*options_.bind);
        if (!address) return asio::error::invalid_argument;
        error_code error;
        acceptor.open(address->endpoint.protocol(), error);
        if (!error) acceptor.set_option(asio::socket_base::reuse_address(true), error);
        if (!error) acceptor.bind(address->endpoint, error);
        if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
        if (error) return error;
        const auto text = bridge::mqtt::to_string(acceptor.local_endpoint());
        port_ = static_cast<std::uint16_t>(std::stoi(text.substr(text.rfind(':') + 1)));
        return {};
    }

    error_code bind_unix(Acceptor& acceptor) {
        const UnixPath path(data_dir_, "sluice.sock");
        ::unlink(path.text().c_str());  // left by an agent that was killed
        error_code error;
        acceptor.open(asio::generic::stream_protocol(AF_UNIX, 0), error);
        // Linux makes the file with the mode of the socket: there is no moment in which others may connect.
        if (!error && ::fchmod(acceptor.native_handle(), kOwnerOnly) != 0) {
            error = error_code(errno, boost::system::system_category());
        }
        if (!error) acceptor.bind(asio::local::stream_protocol::endpoint(path.text()), error);
        if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
        return error;
    }

    void accept(Door& door) {
        door.acceptor.async_accept([this, &door](error_code error, Socket socket) {
            if (stopping_) return;
            if (error) return later(door, kAcceptPause, [this, &door] { accept(door); });  // no descriptors are left
            if (auto place = place_at(door)) welcome(door, std::move(socket), std::move(place));
            accept(door);
        });
    }

    void welcome(const Door& door, Socket socket, std::shared_ptr<void> place) {
        if (!door.over_unix && tls_) {
            // The context has to outlive the connection, and may be replaced.
            auto kept = std::make_shared<std::pair<bridge::mqtt::TlsContext, std::shared_ptr<void>>>(tls_, place);
            std::make_shared<Session<TlsStream>>(site_, false, std::move(kept), PlainStream(std::move(socket)), *tls_)
                ->start();
        } else {
            std::make_shared<Session<PlainStream>>(site_, door.over_unix, std::move(place), std::move(socket))->start();
        }
    }

    /// nullptr: there are too many connections.
    static std::shared_ptr<void> place_at(Door& door) {
        if (door.places == 0) return nullptr;
        --door.places;
        return {&door.places, [](void* left) { ++*static_cast<std::size_t*>(left); }};
    }

    template <class Task>
    static void later(Door& door, std::chrono::milliseconds pause, Task task) {
        door.timer.expires_after(pause);
        door.timer.async_wait([task = std::move(task)](error_code error) {
            if (!error) task();
        });
    }

    void answer(const Request& request, Done done) {
        if (!router_.is_query(request.path)) {
            auto response = router_.handle(request);
            const bool follows = response.follows;
            done(std::move(response));
            if (follows && !feeding_) feed();
            return;
        }
        if (queries_ >= kQueriesMax) {
            auto refusal = make_error(503, "too many read the log at the moment");
            refusal.headers.emplace_back("Retry-After", "1");
            return done(std::move(refusal));
        }
        ++queries_;
        asio::post(workers_, [this, request, done = std::move(done)]() mutable {
            ::pthread_setname_np(::pthread_self(), "query");
            if (!stopping_) be_nice();
            auto response = stopping_ ? make_error(503, "the agent stops") : router_.handle(request);
            asio::post(io_, [this, response = std::move(response), done = std::move(done)]() mutable {
                --queries_;
                done(std::move(response));
            });
        });
    }

    /// A new event each second, while somebody follows.
    void feed() {
        feeding_ = !feed_.empty();
        if (!feeding_) return;
        if (auto event = router_.event()) feed_.publish(std::move(*event));
        feed_timer_.expires_after(kEventInterval);
        feed_timer_.async_wait([this](error_code error) {
            if (!error) feed();
        });
    }

    bool may_ask() {
        const auto now = SteadyClock::now();
        constexpr std::chrono::nanoseconds kEach =
            std::chrono::nanoseconds(std::chrono::seconds(1)) / kRequestsPerSecondMax;
        next_request_ = std::max(next_request_, now - std::chrono::seconds(2));
        if (next_request_ > now) return false;
        next_request_ += kEach;
        return true;
    }

    const AdminOptions options_;
    const std::string data_dir_;
    const Router router_;
    const bridge::Report report_;
    bridge::TroubleReport trouble_;
    bridge::mqtt::TlsContext tls_;
    const Site site_;
    std::atomic<bool> stopping_{false};
    std::atomic<std::uint16_t> port_{0};
    SteadyClock::time_point next_request_{};
    std::size_t unix_places_ = kUnixConnectionsMax;
    std::size_t tcp_places_ = kTcpConnectionsMax;
    asio::io_context io_{1};  // its handlers own the sessions, which give their places back
    Door unix_{io_, unix_places_, true};
    Door tcp_{io_, tcp_places_, false};
    asio::steady_timer feed_timer_{io_};
    EventFeed feed_;
    bool feeding_ = false;
    std::size_t queries_ = 0;  // running or waiting
    std::thread thread_;
    asio::thread_pool workers_{kQueryThreads};
};

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() {
    stop();
}

storage::Result<std::unique_ptr<Server>> Server::start(AdminOptions options, const std::string& data_dir, Router router,
                                                       bridge::Report report) {
    bridge::mqtt::TlsContext tls;
    if (options.tls.cert_file) {
        auto made = bridge::mqtt::make_tls_context(options.tls);
        if (!made) return made.error();
        tls = std::move(*made);
    }
    auto impl = std::make_unique<Impl>(std::move(options), data_dir, std::move(router), std::move(report), tls);
    impl->start();
    return std::unique_ptr<Server>(new Server(std::move(impl)));
}

storage::Result<std::function<void()>> Server::prepare_reload() {
    return impl_->prepare_reload();
}

void Server::stop() {
    impl_->stop();
}

std::uint16_t Server::port() const {
    return impl_->port();
}

}  // namespace sluice::agent::admin
