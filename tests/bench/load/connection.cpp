#include "tests/bench/load/connection.hpp"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace sluice::load {
namespace {

std::string error_text(int number) {
    return std::strerror(number);
}

void check(bool good, const char* what) {
    if (good) return;
    std::perror(what);
    std::exit(1);
}

/// The port is chosen when it connects, where the kernel knows the other side and can use a port more than once.
bool bind_source(int fd, std::uint32_t source) {
    if (source == 0) return true;
    const int on = 1;
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(source);
    return setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on) == 0 &&
           bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

}  // namespace

Poller::Poller() : fd_(epoll_create1(EPOLL_CLOEXEC)) {
    check(fd_ >= 0, "epoll_create1");
}

Poller::~Poller() {
    ::close(fd_);
}

void Poller::run_once(TimePoint deadline) {
    using std::chrono::nanoseconds;
    constexpr std::int64_t kSecond = 1'000'000'000;
    const auto left = std::max<std::int64_t>(0, nanoseconds(deadline - SteadyClock::now()).count());
    const timespec timeout{left / kSecond, left % kSecond};  // epoll_wait's milliseconds are too coarse for pacing
    std::array<epoll_event, 256> events{};
    const int count = epoll_pwait2(fd_, events.data(), static_cast<int>(events.size()), &timeout, nullptr);
    check(count >= 0 || errno == EINTR, "epoll_pwait2");
    for (int i = 0; i < count; ++i) {
        const auto& event = events[static_cast<std::size_t>(i)];
        static_cast<Connection*>(event.data.ptr)->on_events(event.events);
    }
}

void Poller::add(int fd, Connection& connection) const {
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT;
    event.data.ptr = &connection;
    check(epoll_ctl(fd_, EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl");
}

void Poller::watch_writable(int fd, Connection& connection, bool writable) const {
    epoll_event event{};
    event.events = EPOLLIN;
    if (writable) event.events |= EPOLLOUT;
    event.data.ptr = &connection;
    check(epoll_ctl(fd_, EPOLL_CTL_MOD, fd, &event) == 0, "epoll_ctl");
}

Connection::~Connection() {
    close_socket();
}

void Connection::start(const Address& address, const std::string& client_id, std::uint16_t keep_alive_seconds) {
    state_ = State::handshake;
    fd_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd_ < 0) return fail("socket: " + error_text(errno));
    const int on = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (!bind_source(fd_, address.source)) return fail("bind: " + error_text(errno));
    if (connect(fd_, reinterpret_cast<const sockaddr*>(&address.server), sizeof address.server) != 0 &&
        errno != EINPROGRESS) {
        return fail("connect: " + error_text(errno));
    }
    append_connect(out_, client_id, keep_alive_seconds);
    poller_->add(fd_, *this);
}

void Connection::on_events(std::uint32_t events) {
    if (state_ != State::handshake && state_ != State::open) return;
    if ((events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0) read();
    flush();
}

void Connection::read() {
    static std::array<char, 65536> buffer;  // one thread
    const auto count = recv(fd_, buffer.data(), buffer.size(), 0);
    if (count == 0) return fail("closed by the server");
    if (count < 0) {
        if (errno != EAGAIN && errno != EINTR) fail(error_text(errno));
        return;
    }
    std::string_view bytes(buffer.data(), static_cast<std::size_t>(count));
    std::string joined;
    if (!in_.empty()) {
        joined = std::move(in_);
        in_.clear();
        bytes = joined.append(bytes);
    }
    while (state_ == State::handshake || state_ == State::open) {
        const auto packet = take_packet(bytes);
        if (!packet) break;
        handle(*packet);
    }
    in_ = bytes;
}

void Connection::handle(const Packet& packet) {
    if (packet.type == PacketType::unknown) return fail("a packet that was not expected");
    if (state_ == State::open) return owner_->on_packet(packet);
    if (packet.type != PacketType::connack || packet.body.size() != 2) return fail("no CONNACK");
    if (packet.body[1] != 0) return fail("refused with code " + std::to_string(static_cast<int>(packet.body[1])));
    state_ = State::open;
}

void Connection::flush() {
    if (state_ != State::handshake && state_ != State::open) return;
    if (!out_.empty()) {
        const auto count = send(fd_, out_.data(), out_.size(), MSG_NOSIGNAL);
        if (count < 0 && errno != EAGAIN && errno != EINTR) return fail(error_text(errno));
        if (count > 0) out_.erase(0, static_cast<std::size_t>(count));
    }
    const bool has_more = !out_.empty();
    if (has_more == is_writable_watched_) return;
    is_writable_watched_ = has_more;
    poller_->watch_writable(fd_, *this, has_more);
}

void Connection::end() {
    if (state_ == State::open) {
        append_disconnect(out_);
        flush();
    }
    close_socket();
    state_ = State::closed;
}

void Connection::fail(const std::string& reason) {
    const bool was_open = state_ == State::open;
    close_socket();
    state_ = State::closed;
    reason_ = reason;
    if (was_open) owner_->on_lost(reason);
}

void Connection::close_socket() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
}

}  // namespace sluice::load
