#include "tests/bench/load/publisher.hpp"

#include <algorithm>
#include <cstdio>

namespace sluice::load {
namespace {

constexpr std::uint16_t kKeepAliveSeconds = 60;

std::string topic_of(std::size_t number) {
    const auto digits = std::to_string(number);
    return "bench/" + std::string(3 - std::min<std::size_t>(3, digits.size()), '0') + digits + "/telemetry";
}

}  // namespace

void Measurement::fail(const std::string& what) {
    ++errors;
    if (first_error.empty()) first_error = what;
}

PublishClient::PublishClient(const Poller& poller, const PublishOptions& options, std::size_t number,
                             Measurement& measurement, PayloadPool& payloads)
    : connection_(poller, *this),
      options_(&options),
      number_(number),
      measurement_(&measurement),
      payloads_(&payloads),
      topic_(topic_of(number)),
      since_(options.inflight),
      is_used_(options.inflight, false) {
    for (std::uint16_t id = options.inflight; id > 0; --id) free_.push_back(id);
}

bool PublishClient::may_send(TimePoint now) const {
    if (free_.empty() || connection_.state() != Connection::State::open) return false;
    return schedule_ != nullptr ? sent_ < due_ : now < measurement_->until;
}

void PublishClient::fill(TimePoint now) {
    for (; may_send(now); ++sent_) {
        const auto packet_id = free_.back();
        free_.pop_back();
        const auto slot = static_cast<std::size_t>(packet_id - 1);
        is_used_[slot] = true;
        since_[slot] =
            schedule_ != nullptr ? schedule_->at(sent_ / options_->burst * options_->connections + number_) : now;
        append_publish(connection_.out(), topic_, options_->qos, packet_id, payloads_->next());
        ++measurement_->sent_total;
    }
}

void PublishClient::on_packet(const Packet& packet) {
    const auto now = SteadyClock::now();
    const bool is_last_step = packet.type == (options_->qos == 1 ? PacketType::puback : PacketType::pubcomp);
    if (is_last_step) {
        acknowledge(packet.packet_id(), now);
        fill(now);
    } else if (packet.type == PacketType::pubrec && options_->qos == 2) {
        append_pubrel(connection_.out(), packet.packet_id());
    } else if (packet.type != PacketType::pingresp) {
        measurement_->fail("packet type " + std::to_string(static_cast<int>(packet.type)) + " was not expected");
    }
}

void PublishClient::acknowledge(std::uint16_t packet_id, TimePoint now) {
    const auto slot = static_cast<std::size_t>(packet_id) - 1;
    if (packet_id == 0 || slot >= is_used_.size() || !is_used_[slot]) {
        return measurement_->fail("an acknowledgement of what was not sent: " + std::to_string(packet_id));
    }
    is_used_[slot] = false;
    free_.push_back(packet_id);
    auto& measured = *measurement_;
    ++measured.acknowledged_total;
    const auto counts = [&](TimePoint time) { return time >= measured.from && time < measured.until; };
    if (counts(now)) ++measured.acknowledged;
    if (!counts(schedule_ != nullptr ? since_[slot] : now)) return;
    const auto latency = std::chrono::duration_cast<std::chrono::microseconds>(now - since_[slot]).count();
    measured.latency_us.record(static_cast<std::uint64_t>(std::max<std::int64_t>(0, latency)));
}

void PublishClient::on_lost(const std::string& reason) {
    measurement_->fail("connection lost: " + reason);
}

Publisher::Publisher(const Poller& poller, const PublishOptions& options)
    : options_(options), payloads_(options.payload_bytes) {
    for (std::size_t number = 0; number < options_.connections; ++number) {
        clients_.push_back(std::make_unique<PublishClient>(poller, options_, number, measurement_, payloads_));
    }
}

std::vector<Connection*> Publisher::connections() {
    std::vector<Connection*> connections;
    for (auto& client : clients_) connections.push_back(&client->connection());
    return connections;
}

void Publisher::start_connection(std::size_t number, const Address& address) {
    clients_[number]->connection().start(address, "bench-publish-" + std::to_string(number), kKeepAliveSeconds);
}

void Publisher::begin(TimePoint now, std::chrono::nanoseconds warm_up, std::chrono::nanoseconds duration) {
    measurement_.from = now + warm_up;
    measurement_.until = measurement_.from + duration;
    if (options_.rate) {
        schedule_ = {now, static_cast<double>(options_.burst) * 1e9 / *options_.rate};
        for (auto& client : clients_) client->pace(schedule_);
        return;
    }
    for (auto& client : clients_) {
        client->fill(now);
        client->connection().flush();
    }
}

TimePoint Publisher::pace(TimePoint now) {
    if (!options_.rate) return TimePoint::max();
    for (; schedule_.at(next_due_) <= std::min(now, measurement_.until); ++next_due_) {
        auto& client = *clients_[next_due_ % clients_.size()];
        client.add_due(options_.burst);
        client.fill(now);
        client.connection().flush();
    }
    const auto next = schedule_.at(next_due_);
    return next <= measurement_.until ? next : TimePoint::max();
}

std::uint64_t Publisher::outstanding() const {
    std::uint64_t count = 0;
    for (const auto& client : clients_) count += client->unacknowledged() + client->unsent();
    return count;
}

std::size_t Publisher::open_connections() const {
    return static_cast<std::size_t>(std::count_if(clients_.begin(), clients_.end(), [](const auto& client) {
        return client->connection().state() == Connection::State::open;
    }));
}

void Publisher::end() {
    for (auto& client : clients_) client->connection().end();
}

}  // namespace sluice::load
