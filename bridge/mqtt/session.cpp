#include "bridge/mqtt/session.hpp"

#include <algorithm>
#include <utility>

namespace sluice::bridge::mqtt {

namespace {

std::size_t size_of(const Outgoing& outgoing) {
    return outgoing.message->topic.size() + outgoing.message->payload.size() + sizeof(Outgoing);
}

}  // namespace

Session::Session(std::string client_id, SubscriberId id, std::size_t queued_max, std::size_t queued_bytes_max)
    : client_id_(std::move(client_id)),
      id_(id),
      source_("client/" + client_id_),
      queued_max_(queued_max),
      queued_bytes_max_(queued_bytes_max) {}

bool Session::enqueue(Outgoing outgoing) {
    const auto bytes = size_of(outgoing);
    if (queue_.size() >= queued_max_ || queued_bytes_ + bytes > queued_bytes_max_) return false;
    queued_bytes_ += bytes;
    queue_.push_back(std::move(outgoing));
    return true;
}

std::optional<Session::Sendable> Session::next(std::size_t in_flight_max) {
    if (unsent_ > 0) {
        if (in_flight_.size() - unsent_ >= in_flight_max) return std::nullopt;
        const auto next =
            std::find_if(in_flight_.begin(), in_flight_.end(), [](const auto& each) { return !each.sent; });
        next->sent = true;
        --unsent_;
        return Sendable{&next->outgoing, next->packet_id, true};
    }
    if (queue_.empty()) return std::nullopt;
    if (queue_.front().qos > 0 && in_flight_.size() >= in_flight_max) return std::nullopt;
    auto outgoing = std::move(queue_.front());
    queue_.pop_front();
    queued_bytes_ -= size_of(outgoing);
    if (outgoing.qos == 0) {
        sent_ = std::move(outgoing);
        return Sendable{&*sent_, 0, false};
    }
    in_flight_.push_back({free_packet_id(), State::published, std::move(outgoing)});
    return Sendable{&in_flight_.back().outgoing, in_flight_.back().packet_id, false};
}

void Session::drop(const Sendable& sendable) {
    if (sendable.packet_id == 0) return;
    in_flight_.erase(find(sendable.packet_id));
}

std::uint16_t Session::free_packet_id() {
    do {
        if (++last_packet_id_ == 0) last_packet_id_ = 1;
    } while (find(last_packet_id_) != in_flight_.end());
    return last_packet_id_;
}

std::deque<Session::InFlight>::iterator Session::find(std::uint16_t packet_id) {
    return std::find_if(in_flight_.begin(), in_flight_.end(),
                        [&](const InFlight& each) { return each.packet_id == packet_id; });
}

std::vector<std::uint16_t> Session::start_over() {
    std::vector<std::uint16_t> released;
    unsent_ = 0;
    for (auto& each : in_flight_) {
        each.sent = each.state == State::released;
        if (each.sent)
            released.push_back(each.packet_id);
        else
            ++unsent_;
    }
    return released;
}

bool Session::on_puback(std::uint16_t packet_id) {
    const auto found = find(packet_id);
    if (found == in_flight_.end() || found->outgoing.qos != 1 || !found->sent) return false;
    in_flight_.erase(found);
    return true;
}

bool Session::on_pubrec(std::uint16_t packet_id, bool failed) {
    const auto found = find(packet_id);
    if (found == in_flight_.end() || found->outgoing.qos != 2 || !found->sent) return false;
    if (failed) {
        in_flight_.erase(found);
        return true;
    }
    found->state = State::released;
    found->outgoing.message.reset();  // it is the client's now
    return true;
}

bool Session::on_pubcomp(std::uint16_t packet_id) {
    const auto found = find(packet_id);
    if (found == in_flight_.end() || found->state != State::released) return false;
    in_flight_.erase(found);
    return true;
}

}  // namespace sluice::bridge::mqtt
