// What goes to a client, and its acknowledgements for it.
#include "bridge/mqtt/broker.hpp"
#include "bridge/mqtt/connection.hpp"
#include "bridge/mqtt/publish_packet.hpp"

#include <algorithm>
#include <utility>

namespace sluice::bridge::mqtt {

namespace {

// What waits for a slow client's socket; the rest stays in its session's queue.
constexpr std::size_t kUnsentBytesMax = 256U << 10U;
constexpr std::uint32_t kNeverExpires = 0xffffffff;

}  // namespace

void Connection::on(const Acknowledgement& acknowledgement) {
    const bool failed = static_cast<unsigned>(acknowledgement.reason) >= 0x80U;
    const auto id = acknowledgement.packet_id;
    switch (acknowledgement.type) {
        case PacketType::puback:
            static_cast<void>(session_->on_puback(id));
            break;
        case PacketType::pubrec: {
            const auto ticket = session_->on_pubrec(id, failed);
            if (failed) break;
            const auto reason = ticket ? ReasonCode::success : ReasonCode::packet_identifier_not_found;
            std::string bytes;
            encode_acknowledgement({PacketType::pubrel, id, reason}, version_, bytes);
            say_when_durable(std::move(bytes), ticket.value_or(0));
            break;
        }
        case PacketType::pubrel:
            release(id);
            break;
        case PacketType::pubcomp:
            static_cast<void>(session_->on_pubcomp(id));
            break;
        default:
            break;
    }
    pump();
}

void Connection::on(const Subscribe& subscribe) {
    std::vector<ReasonCode> reasons;
    std::vector<std::size_t> due;  // for retained messages
    SessionStore::Ticket ticket = 0;
    for (std::size_t i = 0; i < subscribe.subscriptions.size(); ++i) {
        const auto& subscription = subscribe.subscriptions[i];
        const auto outcome = broker_.subscribe(*session_, identity_, subscription, subscribe.identifier);
        reasons.push_back(outcome.reason);
        ticket = std::max(ticket, outcome.ticket);
        const bool wants = subscription.retain_handling == RetainHandling::send ||
                           (subscription.retain_handling == RetainHandling::send_if_new && outcome.is_new);
        if (outcome.is_granted() && wants) due.push_back(i);
    }
    std::string suback;
    encode_suback(subscribe.packet_id, reasons, version_, suback);
    say_when_durable(std::move(suback), ticket);
    for (const auto i : due) broker_.send_retained(*session_, subscribe.subscriptions[i], subscribe.identifier);
    pump();
    transport_.wake();
}

void Connection::on(const Unsubscribe& unsubscribe) {
    std::vector<ReasonCode> reasons;
    for (const auto filter : unsubscribe.filters) {
        const bool had = broker_.unsubscribe(*session_, filter);
        reasons.push_back(had ? ReasonCode::success : ReasonCode::no_subscription_existed);
    }
    encode_unsuback(unsubscribe.packet_id, reasons, version_, out_);
    transport_.wake();
}

/// A packet that promises something which a restart must not take back. They go out in their order.
void Connection::say_when_durable(std::string packet, SessionStore::Ticket ticket) {
    later_.push_back({std::move(packet), ticket});
    flush_later();
}

void Connection::flush_later() {
    const auto before = out_.size();
    const bool waited = !wants_input();
    for (; !later_.empty() && broker_.store().is_durable(later_.front().ticket); later_.pop_front()) {
        out_ += later_.front().packet;
    }
    if (!later_.empty()) broker_.wait(*this);
    if (out_.size() > before || (waited && wants_input())) transport_.wake();
}

void Connection::pump() {
    if (session_ == nullptr || state_ != State::connected) return;
    const auto before = out_.size();
    while (out_.size() < kUnsentBytesMax) {
        const auto sendable = session_->next(window_);
        if (!sendable) break;
        send(*sendable);
    }
    if (session_->waits_for_store()) broker_.wait(*this);
    if (out_.size() > before) transport_.wake();
}

void Connection::send(const Session::Sendable& sendable) {
    const auto& message = *sendable.outgoing->message;
    Publish publish;
    publish.topic = message.topic;
    publish.payload = message.payload;
    publish.packet_id = sendable.packet_id;
    publish.qos = sendable.outgoing->qos;
    publish.retain = sendable.outgoing->retain;
    publish.duplicate = sendable.again;
    bool expired = false;
    if (message.expiry_interval) {
        const auto gone =
            std::chrono::duration_cast<std::chrono::seconds>(broker_.wall_now() - message.arrived).count();
        const auto age = static_cast<std::uint32_t>(std::clamp<std::int64_t>(gone, 0, kNeverExpires));
        expired = age >= *message.expiry_interval && !sendable.again;
        publish.properties.message_expiry_interval =
            age >= *message.expiry_interval ? 0 : *message.expiry_interval - age;
    }
    if (v5()) {
        publish.subscription_identifiers = sendable.outgoing->identifiers;
        set_properties(message, publish.properties);
        if (const auto known = aliases_out_.find(message.topic); known != aliases_out_.end()) {
            publish.topic = {};
            publish.topic_alias = known->second;
        } else if (aliases_out_.size() < alias_out_maximum_) {
            publish.topic_alias = static_cast<std::uint32_t>(aliases_out_.size()) + 1;
        }
    }
    if (expired || (packet_bytes_max_ && encoded_size(publish, version_) > *packet_bytes_max_)) {
        ++broker_.counting().dropped;
        session_->drop(sendable);
        return;
    }
    if (publish.topic_alias && !publish.topic.empty()) aliases_out_.emplace(message.topic, *publish.topic_alias);
    encode_publish(publish, version_, out_);
    ++broker_.counting().sent;
}

}  // namespace sluice::bridge::mqtt
