// What a client sends to be kept, and the acknowledgements for it.
#include "bridge/mqtt/broker.hpp"
#include "bridge/mqtt/connection.hpp"
#include "bridge/mqtt/publish_packet.hpp"
#include "bridge/mqtt/topic_name.hpp"

#include <algorithm>
#include <utility>

namespace sluice::bridge::mqtt {

namespace {

constexpr unsigned kQosBits = 0x06;  // of PUBLISH's flags

}  // namespace

std::optional<Fault> Connection::check_publish(const Publish& publish, std::string_view& topic) {
    topic = publish.topic;
    if (publish.topic_alias) {
        if (*publish.topic_alias > broker_.options().topic_alias_maximum) {
            return Fault{ReasonCode::topic_alias_invalid, "topic alias beyond the maximum [MQTT-3.3.2-9]"};
        }
        if (topic.empty()) {
            const auto known = aliases_in_.find(*publish.topic_alias);
            if (known == aliases_in_.end()) {
                return Fault{ReasonCode::protocol_error, "topic alias that stands for nothing (MQTT 5, 3.3.2.3.4)"};
            }
            topic = known->second;
        } else {
            topic = aliases_in_[*publish.topic_alias] = std::string(topic);
        }
    }
    if (has_too_many_levels(topic)) {
        return Fault{ReasonCode::topic_name_invalid, "a topic of too many levels"};
    }
    if (publish.retain && !broker_.options().retain_available) {
        return Fault{ReasonCode::retain_not_supported, "RETAIN where nothing is retained [MQTT-3.2.2-14]"};
    }
    if (v5() && publish.qos > 0 && exceeds_receive_maximum(publish)) {
        return Fault{ReasonCode::receive_maximum_exceeded, "more in flight than receive_maximum (MQTT 5, 3.3.4)"};
    }
    return std::nullopt;
}

bool Connection::exceeds_receive_maximum(const Publish& publish) {
    if (publish.qos == 2 && incoming_qos2_.contains(publish.packet_id)) return false;
    return unacknowledged_ + incoming_qos2_.size() >= broker_.options().receive_maximum;
}

/// More of QoS 1 than receive_maximum, for no other reason than that the log takes its time: popular clients don't
/// count (MQTT.js), and with a server that acknowledges at once they need not. It is not read before the others have
/// left.
bool Connection::comes_too_early(const Frame& frame) const {
    return v5() && state_ == State::connected && frame.type() == PacketType::publish &&
           (frame.flags() & kQosBits) != 0 && unacknowledged_ > 0 &&
           unacknowledged_ + incoming_qos2_.size() >= broker_.options().receive_maximum;
}

void Connection::on(const Publish& publish) {
    std::string_view topic;
    if (const auto fault = check_publish(publish, topic)) return close(fault->code, fault->what);
    if (publish.qos == 1) ++unacknowledged_;
    if (publish.qos == 2) incoming_qos2_.insert(publish.packet_id);
    ++broker_.counting().received;
    if (budget_ >= 1) --budget_;
    if (topic.starts_with('$') || !broker_.gatekeeper().may_publish(identity_, topic)) {
        ++broker_.counting().not_authorized;
        broker_.tell(*this, "may not publish on " + std::string(topic));
        // MQTT 3.1.1 has no word for it: acknowledged and not passed on (3.3.5).
        if (publish.qos == 0) return;
        const auto type = publish.qos == 1 ? PacketType::puback : PacketType::pubrec;
        if (publish.qos == 2 && v5()) incoming_qos2_.erase(publish.packet_id);
        return queue_ack(type, publish.packet_id, ReasonCode::not_authorized);
    }
    HeldMessage held{to_message(publish), publish.packet_id};
    held.message.topic = topic;
    held.message.arrived = broker_.wall_now();
    if (publish.qos > 0) held.since = std::chrono::steady_clock::now();
    if (held_.empty() && take_in(held)) return;
    held_bytes_ += held.message.payload.size();
    held_.push_back(std::move(held));
    broker_.wait(*this);
    if (!wants_input()) transport_.wake();
}

/// @return false: the log has no room, and the message is as it was
bool Connection::take_in(HeldMessage& held) {
    const auto qos = held.message.qos;
    if (broker_.is_local_only(held.message.topic)) {
        ++broker_.counting().local_only;
        ++broker_.counting().accepted;
        const auto ticket = pass_on(held);
        if (qos > 0)
            queue_ack(qos == 1 ? PacketType::puback : PacketType::pubrec, held.packet_id, ReasonCode::success, ticket);
        return true;
    }
    if (qos == 0) {
        auto count = [&accepted = broker_.counting().accepted](const storage::Result<storage::Offset>& result) {
            if (result) ++accepted;
        };
        const auto taken =
            broker_.acceptor().try_accept(session_->source(), held.message, std::nullopt, std::move(count));
        if (taken == Acceptor::Taken::full) return false;
        broker_.publish(std::move(held.message), session_);
        return true;
    }
    const auto type = qos == 1 ? PacketType::puback : PacketType::pubrec;
    auto ack = std::make_unique<PendingAck>(PendingAck{this, type, held.packet_id});
    ack->since = held.since;
    const auto packet_id = qos == 2 ? std::optional(held.packet_id) : std::nullopt;
    const auto taken =
        broker_.acceptor().try_accept(session_->source(), held.message, packet_id, broker_.mailbox().completion(*ack));
    if (taken == Acceptor::Taken::full) return false;
    ack->ticket = pass_on(held, taken == Acceptor::Taken::replacing);
    acks_.push_back(ack.release());  // the mailbox brings it
    return true;
}

/// To those who have subscribed; of QoS 2 once. The log knows for itself what it has taken before, as after a kill one
/// may have the message and the other not.
/// @param is_new  its identifier was of another message
SessionStore::Ticket Connection::pass_on(HeldMessage& held, bool is_new) {
    if (held.message.qos < 2) return broker_.publish(std::move(held.message), session_);
    if (!is_new && session_->has_incoming(held.packet_id)) return broker_.store().last();
    const SessionStore::Hold hold(broker_.store());
    const auto ticket = broker_.publish(std::move(held.message), session_);
    session_->add_incoming(held.packet_id, ticket > 0);
    return ticket;
}

void Connection::take_held() {
    const bool waited = !wants_input();
    while (!held_.empty() && state_ == State::connected) {
        const auto bytes = held_.front().message.payload.size();
        if (!take_in(held_.front())) break;
        held_bytes_ -= bytes;
        held_.pop_front();
    }
    if (!held_.empty()) broker_.wait(*this);
    if (waited && wants_input()) transport_.wake();
}

/// One that is ready, behind those that are not.
void Connection::queue_ack(PacketType type, std::uint16_t packet_id, ReasonCode reason, SessionStore::Ticket ticket) {
    acks_.push_back(new PendingAck{this, type, packet_id, reason, true, true, ticket});
}

void Connection::flush_acks() {
    const auto before = out_.size();
    const bool waited = !wants_input();
    const auto now = std::chrono::steady_clock::now();
    while (!acks_.empty() && acks_.front()->ready) {
        if (!broker_.store().is_durable(acks_.front()->ticket)) {
            broker_.wait(*this);
            break;
        }
        const std::unique_ptr<PendingAck> ack(acks_.front());
        acks_.pop_front();
        if (!ack->accepted) continue;  // not kept: never acknowledged
        if (ack->since != TimePoint()) broker_.counting().acknowledgement.observe(now - ack->since);
        if (ack->type == PacketType::connack) {
            welcome(false);
            continue;
        }
        if (ack->type == PacketType::puback) {
            --unacknowledged_;
            too_early_ = false;
        }
        if (ack->type == PacketType::pubcomp) incoming_qos2_.erase(ack->packet_id);
        encode_acknowledgement({ack->type, ack->packet_id, ack->reason}, version_, out_);
    }
    if (out_.size() > before || (waited && wants_input())) transport_.wake();
}

void Connection::on_progress() {
    if (state_ == State::closing) return;
    take_held();
    flush_acks();
    flush_later();
    pump();
}

void Connection::release(std::uint16_t packet_id) {
    auto ack = std::make_unique<PendingAck>(PendingAck{this, PacketType::pubcomp, packet_id});
    const auto ticket = session_->release_incoming(packet_id);
    ack->ticket = ticket.value_or(0);
    const bool known = broker_.acceptor().release(session_->source(), packet_id, broker_.mailbox().completion(*ack));
    if (!known && !ticket) ack->reason = ReasonCode::packet_identifier_not_found;
    acks_.push_back(ack.release());
}

}  // namespace sluice::bridge::mqtt
