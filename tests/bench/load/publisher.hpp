// publisher.hpp: connections that publish and measure how long the acknowledgement takes.
//
// Without a rate each connection keeps `inflight` messages unacknowledged, and a latency begins when the message is
// handed to the socket. With a rate burst k is due at start + k * burst / rate whatever the server does, connections
// take turns, and a latency begins when the message was due: what a slow server delays counts against it (no
// coordinated omission). A burst leaves in one write: at high rates one write a message would cost more than the server
// does. QoS 1 is acknowledged by PUBACK, QoS 2 by PUBCOMP.
//
// One thread. Packet identifiers are 1 … inflight, used again once free.
#pragma once

#include "tests/bench/load/connection.hpp"
#include "tests/bench/load/histogram.hpp"
#include "tests/bench/load/payload.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace sluice::load {

struct PublishOptions {
    std::size_t connections = 50;
    int qos = 1;
    std::size_t payload_bytes = 200;
    std::uint16_t inflight = 20;
    std::optional<double> rate;  // messages a second of all connections
    std::size_t burst = 1;       // messages of a connection that are due at once, with a rate
};

/// What is due when: event k at start + k * interval.
struct Schedule {
    TimePoint start{};
    double interval_ns = 0;

    [[nodiscard]] TimePoint at(std::uint64_t k) const {
        return start + std::chrono::nanoseconds(static_cast<std::int64_t>(static_cast<double>(k) * interval_ns));
    }
};

/// Messages are counted whose acknowledgement (without a rate) or due time (with one) lies in from … until.
struct Measurement {
    TimePoint from = TimePoint::max();
    TimePoint until = TimePoint::max();
    Histogram latency_us;
    std::uint64_t sent_total = 0;
    std::uint64_t acknowledged = 0;        // in the window, by the time of the acknowledgement
    std::uint64_t acknowledged_total = 0;  // since the start, warm-up included
    std::uint64_t errors = 0;
    std::string first_error;

    void fail(const std::string& what);
};

class PublishClient final : public ConnectionOwner {
 public:
    PublishClient(const Poller& poller, const PublishOptions& options, std::size_t number, Measurement& measurement,
                  PayloadPool& payloads);

    [[nodiscard]] Connection& connection() { return connection_; }
    [[nodiscard]] std::size_t unacknowledged() const { return since_.size() - free_.size(); }
    [[nodiscard]] std::uint64_t unsent() const { return schedule_ ? due_ - sent_ : 0; }

    /// With a rate: its messages are those of the schedule of bursts whose k is its number, modulo the count of
    /// connections.
    void pace(const Schedule& schedule) { schedule_ = &schedule; }
    void add_due(std::size_t count) { due_ += count; }
    /// Publishes as many messages as are due and have a free identifier.
    void fill(TimePoint now);

    void on_packet(const Packet& packet) override;
    void on_lost(const std::string& reason) override;

 private:
    [[nodiscard]] bool may_send(TimePoint now) const;
    void acknowledge(std::uint16_t packet_id, TimePoint now);

    Connection connection_;
    const PublishOptions* options_;
    std::size_t number_;
    Measurement* measurement_;
    PayloadPool* payloads_;
    const Schedule* schedule_ = nullptr;
    std::string topic_;
    std::vector<TimePoint> since_;     // by packet identifier - 1
    std::vector<std::uint16_t> free_;  // identifiers
    std::vector<bool> is_used_;
    std::uint64_t sent_ = 0;
    std::uint64_t due_ = 0;
};

class Publisher {
 public:
    Publisher(const Poller& poller, const PublishOptions& options);

    [[nodiscard]] std::vector<Connection*> connections();
    void start_connection(std::size_t number, const Address& address);

    /// Begins to publish; the messages are counted `warm_up` later, for `duration`.
    void begin(TimePoint now, std::chrono::nanoseconds warm_up, std::chrono::nanoseconds duration);
    /// Publishes what is due. Returns when something will be due next, or TimePoint::max() if nothing will.
    TimePoint pace(TimePoint now);
    /// Messages that wait for their acknowledgement, or are due and wait for others.
    [[nodiscard]] std::uint64_t outstanding() const;
    [[nodiscard]] std::size_t open_connections() const;
    void end();

    [[nodiscard]] Measurement& measurement() { return measurement_; }

 private:
    PublishOptions options_;
    PayloadPool payloads_;
    Measurement measurement_;
    Schedule schedule_;
    std::uint64_t next_due_ = 0;
    std::vector<std::unique_ptr<PublishClient>> clients_;
};

}  // namespace sluice::load
