// idle_fleet.hpp: connections that do nothing but what their keep-alive asks.
//
// Each pings once in half its keep-alive, and their pings are spread evenly over that time. Where one address has too
// few ports for them they come from several addresses of the loopback network. One thread.
#pragma once

#include "tests/bench/load/publisher.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace sluice::load {

struct IdleCounts {
    std::uint64_t pings = 0;
    std::uint64_t pongs = 0;
    std::uint64_t lost = 0;
    std::string first_error;
};

class IdleClient final : public ConnectionOwner {
 public:
    IdleClient(const Poller& poller, IdleCounts& counts) : connection_(poller, *this), counts_(&counts) {}

    [[nodiscard]] Connection& connection() { return connection_; }
    void ping();

    void on_packet(const Packet& packet) override;
    void on_lost(const std::string& reason) override;

 private:
    Connection connection_;
    IdleCounts* counts_;
};

class IdleFleet {
 public:
    IdleFleet(const Poller& poller, std::size_t connections, std::uint16_t keep_alive_seconds);

    [[nodiscard]] std::vector<Connection*> connections();
    void start_connection(std::size_t number, Address address);

    /// From now on pings are due, of those that are connected.
    void begin(TimePoint now);
    /// Sends the pings that are due. Returns when the next will be.
    TimePoint pace(TimePoint now);
    void end();

    [[nodiscard]] const IdleCounts& counts() const { return counts_; }

 private:
    std::uint16_t keep_alive_seconds_;
    IdleCounts counts_;
    Schedule schedule_;
    std::uint64_t next_ping_ = 0;
    std::vector<std::unique_ptr<IdleClient>> clients_;
};

}  // namespace sluice::load
