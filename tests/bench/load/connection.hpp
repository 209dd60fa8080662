// connection.hpp: one MQTT connection on a non-blocking socket, and the epoll that all of them share.
//
// What an owner appends to out() while it handles packets leaves in one write, after the last packet that was read.
// One thread.
#pragma once

#include "tests/bench/load/wire.hpp"

#include <netinet/in.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace sluice::load {

using SteadyClock = std::chrono::steady_clock;
using TimePoint = SteadyClock::time_point;

class Connection;

/// Waits for all connections at once.
class Poller {
 public:
    Poller();
    Poller(const Poller&) = delete;
    Poller& operator=(const Poller&) = delete;
    ~Poller();

    /// Handles what has happened, or waits for it until `deadline`.
    void run_once(TimePoint deadline);

    void add(int fd, Connection& connection) const;
    void watch_writable(int fd, Connection& connection, bool writable) const;

 private:
    int fd_;
};

/// What an owner of a connection hears from it.
class ConnectionOwner {
 public:
    ConnectionOwner() = default;
    ConnectionOwner(const ConnectionOwner&) = delete;
    ConnectionOwner& operator=(const ConnectionOwner&) = delete;
    virtual ~ConnectionOwner() = default;
    virtual void on_packet(const Packet& packet) = 0;
    /// The connection was open and the other side, or the network, has ended it.
    virtual void on_lost(const std::string& reason) = 0;
};

struct Address {
    sockaddr_in server{};
    std::uint32_t source = 0;  // 127.0.0.x in host order, or 0: the kernel chooses
};

class Connection {
 public:
    enum class State { idle, handshake, open, closed };

    Connection(const Poller& poller, ConnectionOwner& owner) : poller_(&poller), owner_(&owner) {}
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;
    ~Connection();

    /// Begins TCP's and MQTT's handshake. state() is `handshake` then, or `closed` where that failed at once.
    void start(const Address& address, const std::string& client_id, std::uint16_t keep_alive_seconds);
    [[nodiscard]] State state() const { return state_; }
    /// Why it is closed.
    [[nodiscard]] const std::string& reason() const { return reason_; }

    [[nodiscard]] std::string& out() { return out_; }
    /// Writes what out() has, as far as the socket takes it; the rest follows when there is room.
    void flush();
    /// Says goodbye and closes. The owner hears nothing.
    void end();

    void on_events(std::uint32_t events);

 private:
    void read();
    void handle(const Packet& packet);
    void fail(const std::string& reason);
    void close_socket();

    const Poller* poller_;
    ConnectionOwner* owner_;
    int fd_ = -1;
    State state_ = State::idle;
    bool is_writable_watched_ = true;  // from the start, to see the TCP connection succeed
    std::string in_;                   // the begin of a packet that isn't whole
    std::string out_;
    std::string reason_;
};

/// Starts connections in order, no more than a listen queue holds at a time; returns when none is in handshake or after
/// `timeout`. `start` begins the n-th; `pace` does what those that are open already ask for, and says when again.
template <typename Start, typename Pace>
void open_all(Poller& poller, const std::vector<Connection*>& connections, std::chrono::seconds timeout, Start start,
              Pace pace) {
    constexpr std::size_t kHandshakesMax = 50;
    const auto deadline = SteadyClock::now() + timeout;
    std::size_t started = 0;
    std::size_t done = 0;
    for (auto now = SteadyClock::now(); now < deadline; now = SteadyClock::now()) {
        while (done < started && connections[done]->state() != Connection::State::handshake) ++done;
        if (done == connections.size()) return;
        while (started < connections.size() && started < done + kHandshakesMax) start(started++);
        if (connections[done]->state() != Connection::State::handshake) continue;  // it failed at once
        poller.run_once(std::min(deadline, pace(now)));
    }
}

}  // namespace sluice::load
