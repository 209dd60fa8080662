#include "bridge/mqtt/session.hpp"

#include <algorithm>
#include <utility>

namespace sluice::bridge::mqtt {

namespace {

std::size_t size_of(const Outgoing& outgoing) {
    return outgoing.message->topic.size() + outgoing.message->payload.size() + sizeof(Outgoing);
}

}  // namespace

Session::Session(std::string client_id, SubscriberId id, const QueueLimits& limits, std::size_t& all_bytes,
                 SessionStore& store)
    : client_id_(std::move(client_id)),
      id_(id),
      source_("client/" + client_id_),
      limits_(limits),
      all_bytes_(all_bytes),
      store_(store) {}

Session::~Session() {
    all_bytes_ -= bytes_;
}

void Session::restore(std::vector<StoredOutgoing> outgoing, const std::vector<std::uint16_t>& incoming) {
    for (auto& stored : outgoing) {
        last_sequence_ = stored.sequence;
        last_packet_id_ = stored.packet_id;
        Queued queued{{std::move(stored.message), stored.qos, stored.retain, std::move(stored.identifiers)},
                      stored.packet_id,
                      stored.sequence};
        if (queued.outgoing.message) count_bytes(queued.outgoing, true);
        // What was in flight is not written down, but it was the first ones: they count as sent.
        if (in_flight_.size() < kInFlightMax) {
            const auto state = stored.released ? State::released : State::published;
            in_flight_.push_back({std::move(queued), state, false});
        } else {
            queue_.push_back(std::move(queued));
        }
    }
    for (const auto packet_id : incoming) incoming_.emplace(packet_id, true);
}

void Session::count_bytes(const Outgoing& outgoing, bool more) {
    const auto bytes = size_of(outgoing);
    bytes_ = more ? bytes_ + bytes : bytes_ - bytes;
    all_bytes_ = more ? all_bytes_ + bytes : all_bytes_ - bytes;
}

std::optional<Session::Ticket> Session::enqueue(Outgoing outgoing) {
    const auto bytes = size_of(outgoing);
    if (queue_.size() >= limits_.messages_max || bytes_ + bytes > limits_.bytes_max ||
        all_bytes_ + bytes > limits_.all_bytes_max) {
        return std::nullopt;
    }
    count_bytes(outgoing, true);
    Queued queued{std::move(outgoing)};
    if (queued.outgoing.qos > 0) {
        queued.packet_id = free_packet_id();
        queued.sequence = ++last_sequence_;
        if (kept_) {
            const auto& [message, qos, retain, identifiers] = queued.outgoing;
            queued.ticket =
                store_.put_outgoing(id_, {queued.sequence, queued.packet_id, qos, retain, false, identifiers, message});
        }
    }
    queue_.push_back(std::move(queued));
    return queue_.back().ticket;
}

bool Session::waits_for_store() const {
    return unsent_ == 0 && !queue_.empty() && queue_.front().outgoing.qos == 2 &&
           !store_.is_durable(queue_.front().ticket);
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
    if (queue_.empty() || waits_for_store()) return std::nullopt;
    if (queue_.front().outgoing.qos > 0 && in_flight_.size() >= in_flight_max) return std::nullopt;
    auto queued = std::move(queue_.front());
    queue_.pop_front();
    if (queued.packet_id == 0) {
        count_bytes(queued.outgoing, false);
        sent_ = std::move(queued.outgoing);
        return Sendable{&*sent_, 0, false};
    }
    in_flight_.push_back({std::move(queued)});
    return Sendable{&in_flight_.back().outgoing, in_flight_.back().packet_id, false};
}

void Session::drop(const Sendable& sendable) {
    if (sendable.packet_id != 0) finish(find(sendable.packet_id));
}

void Session::finish(InFlightPlace place) {
    if (place->outgoing.message) count_bytes(place->outgoing, false);
    if (kept_) store_.remove_outgoing(id_, place->sequence);
    in_flight_.erase(place);
}

/// Those in the queue are a row behind each other, and fewer than there are: only one in flight can be in the way.
std::uint16_t Session::free_packet_id() {
    do {
        if (++last_packet_id_ == 0) last_packet_id_ = 1;
    } while (find(last_packet_id_) != in_flight_.end());
    return last_packet_id_;
}

Session::InFlightPlace Session::find(std::uint16_t packet_id) {
    return std::find_if(in_flight_.begin(), in_flight_.end(),
                        [&](const InFlight& each) { return each.packet_id == packet_id; });
}

void Session::add_incoming(std::uint16_t packet_id, bool stored) {
    stored = stored && kept_;
    incoming_[packet_id] = stored;
    if (stored) store_.put_incoming(id_, packet_id);
}

std::optional<Session::Ticket> Session::release_incoming(std::uint16_t packet_id) {
    const auto found = incoming_.find(packet_id);
    if (found == incoming_.end()) return std::nullopt;
    const bool stored = found->second;
    incoming_.erase(found);
    return stored ? store_.remove_incoming(id_, packet_id) : 0;
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
    finish(found);
    return true;
}

std::optional<Session::Ticket> Session::on_pubrec(std::uint16_t packet_id, bool failed) {
    const auto found = find(packet_id);
    if (found == in_flight_.end() || found->outgoing.qos != 2 || !found->sent) return std::nullopt;
    if (failed) {
        finish(found);
        return 0;
    }
    if (found->outgoing.message) count_bytes(found->outgoing, false);
    found->state = State::released;
    found->outgoing.message.reset();  // it is the client's now
    return kept_ ? store_.release_outgoing(id_, found->sequence) : 0;
}

bool Session::on_pubcomp(std::uint16_t packet_id) {
    const auto found = find(packet_id);
    if (found == in_flight_.end() || found->state != State::released) return false;
    finish(found);
    return true;
}

}  // namespace sluice::bridge::mqtt
