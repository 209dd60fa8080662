#include "tests/bench/load/idle_fleet.hpp"

#include <arpa/inet.h>

namespace sluice::load {
namespace {

constexpr std::uint32_t kLoopback = 0x7F000000;        // 127.0.0.0
constexpr std::size_t kConnectionsAnAddress = 20'000;  // Linux gives a client 28,232 ports, and others need some

}  // namespace

void IdleClient::ping() {
    if (connection_.state() != Connection::State::open) return;
    ++counts_->pings;
    append_pingreq(connection_.out());
    connection_.flush();
}

void IdleClient::on_packet(const Packet& packet) {
    if (packet.type == PacketType::pingresp) ++counts_->pongs;
}

void IdleClient::on_lost(const std::string& reason) {
    if (counts_->lost++ == 0) counts_->first_error = reason;
}

IdleFleet::IdleFleet(const Poller& poller, std::size_t connections, std::uint16_t keep_alive_seconds)
    : keep_alive_seconds_(keep_alive_seconds) {
    for (std::size_t i = 0; i < connections; ++i) clients_.push_back(std::make_unique<IdleClient>(poller, counts_));
}

std::vector<Connection*> IdleFleet::connections() {
    std::vector<Connection*> connections;
    for (auto& client : clients_) connections.push_back(&client->connection());
    return connections;
}

void IdleFleet::start_connection(std::size_t number, Address address) {
    const bool is_loopback = ntohl(address.server.sin_addr.s_addr) >> 24U == kLoopback >> 24U;
    if (is_loopback) address.source = kLoopback + 2 + static_cast<std::uint32_t>(number / kConnectionsAnAddress);
    clients_[number]->connection().start(address, "bench-idle-" + std::to_string(number), keep_alive_seconds_);
}

void IdleFleet::begin(TimePoint now) {
    const auto period_ns = keep_alive_seconds_ * 1e9 / 2;
    schedule_ = {now, period_ns / static_cast<double>(clients_.size())};
}

TimePoint IdleFleet::pace(TimePoint now) {
    for (; schedule_.at(next_ping_) <= now; ++next_ping_) clients_[next_ping_ % clients_.size()]->ping();
    return schedule_.at(next_ping_);
}

void IdleFleet::end() {
    for (auto& client : clients_) client->connection().end();
}

}  // namespace sluice::load
