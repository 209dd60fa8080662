#include "bridge/mqtt/connection.hpp"

#include "bridge/mqtt/broker.hpp"
#include "bridge/mqtt/publish_packet.hpp"
#include "bridge/mqtt/text_lines.hpp"

#include <algorithm>
#include <utility>
#include <variant>

namespace sluice::bridge::mqtt {

namespace {

// What a client may have on hold while the log has no room; then its socket is not read any more.
constexpr std::size_t kHeldMessagesMax = 100;
constexpr std::size_t kHeldBytesMax = 256U << 10U;
// What waits for a slow client's socket; the rest stays in its session's queue.
constexpr std::size_t kOutBytesMax = 256U << 10U;
constexpr std::size_t kInFlightMax = 100;
constexpr std::uint32_t kNeverExpires = 0xffffffff;

std::string owned(std::string_view text) {
    return std::string(text);
}

template <class T>
std::optional<std::string> owned(const std::optional<T>& text) {
    return text ? std::optional(std::string(*text)) : std::nullopt;
}

MessagePtr message_of_will(const Will& will) {
    Publish publish;
    publish.topic = will.topic;
    publish.payload = will.payload;
    publish.qos = will.qos;
    publish.retain = will.retain;
    publish.properties = will.properties;
    return std::make_shared<const Message>(to_message(publish));
}

}  // namespace

struct Connection::Open {
    bool clean_start = false;
    std::uint16_t keep_alive = 0;
    bool assigned_client_id = false;
    std::uint16_t receive_maximum = 0;
    MessagePtr will;
    std::uint32_t will_delay = 0;
};

Connection::Connection(Broker& broker, Transport& transport, Peer peer)
    : broker_(broker), transport_(transport), peer_(std::move(peer)), last_input_(broker.now()) {
    broker_.add(*this);
}

Connection::~Connection() {
    on_lost();
    *alive_ = false;
    for (auto* ack : acks_) {
        if (ack->ready)
            delete ack;
        else
            ack->connection = nullptr;  // the mailbox brings it
    }
    broker_.remove(*this);
}

bool Connection::wants_input() const {
    return (state_ == State::waiting_for_connect || state_ == State::connected) && held_.size() < kHeldMessagesMax &&
           held_bytes_ < kHeldBytesMax;
}

std::size_t Connection::take(std::string_view bytes) {
    if (state_ == State::connected) last_input_ = broker_.now();  // before, the time for CONNECT runs
    std::size_t taken = 0;
    while (wants_input()) {
        const auto next = next_frame(bytes.substr(taken), broker_.options().packet_bytes_max);
        if (const auto* fault = std::get_if<Fault>(&next)) {
            close(fault->code, fault->what);
            break;
        }
        const auto* frame = std::get_if<Frame>(&next);
        if (frame == nullptr) break;
        handle(*frame);
        taken += frame->size;
    }
    flush_acks();
    return taken;
}

void Connection::handle(const Frame& frame) {
    const bool is_connect = frame.type() == PacketType::connect;
    if (is_connect != (state_ == State::waiting_for_connect)) {
        return close(ReasonCode::protocol_error,
                     is_connect ? "a second CONNECT [MQTT-3.1.0-2]" : "a packet before CONNECT [MQTT-3.1.0-1]");
    }
    const auto decoded = decode_packet(frame, version_);
    if (const auto* fault = std::get_if<Fault>(&decoded)) {
        if (is_connect) {
            // Whoever speaks another version understands return code 1 of the old ones, if anything.
            version_ = version_of_connect(frame).value_or(ProtocolVersion::v3_1_1);
            return refuse(fault->code, fault->what);
        }
        return close(fault->code, fault->what);
    }
    std::visit([this](const auto& packet) { on(packet); }, std::get<ClientPacket>(decoded));
}

void Connection::on(const Connect& connect) {
    version_ = connect.version;
    if (connect.authentication_method) {
        return refuse(ReasonCode::bad_authentication_method, "extended authentication is not offered");
    }
    if (!is_printable(connect.client_id)) {  // it goes into files and log lines
        return refuse(ReasonCode::client_identifier_not_valid, "control characters in the client identifier");
    }
    if (connect.will && connect.will->retain && !broker_.options().retain_available) {
        return refuse(ReasonCode::retain_not_supported, "a will to be retained, where nothing is");
    }
    open_ = std::make_unique<Open>();
    open_->clean_start = connect.clean_start;
    open_->keep_alive = connect.keep_alive;
    open_->receive_maximum = connect.receive_maximum;
    open_->assigned_client_id = connect.client_id.empty();
    if (connect.will) {
        open_->will = message_of_will(*connect.will);
        open_->will_delay = connect.will->delay_interval;
    }
    const auto most = broker_.options().session_expiry_max;
    if (v5())
        session_expiry_interval_ = std::min(connect.session_expiry_interval, most);
    else
        session_expiry_interval_ = connect.clean_start ? 0 : most;
    packet_bytes_max_ = connect.maximum_packet_size;
    alias_out_maximum_ = std::min<std::uint32_t>(connect.topic_alias_maximum, broker_.options().topic_alias_maximum);
    reason_strings_ = connect.request_problem_information;
    identity_.client_id = open_->assigned_client_id ? broker_.new_client_id() : owned(connect.client_id);
    state_ = State::authenticating;
    Credentials credentials{owned(connect.user_name), owned(connect.password), peer_.certificate_subject,
                            peer_.loopback};
    broker_.gatekeeper().authenticate(std::move(credentials),
                                      [this, alive = alive_](const Gatekeeper::Verdict& verdict) {
                                          if (*alive && state_ == State::authenticating) on_verdict(verdict);
                                      });
}

void Connection::on_verdict(const Gatekeeper::Verdict& verdict) {
    if (verdict.reason != ReasonCode::success) return refuse(verdict.reason, "not let in");
    identity_.user = verdict.user;
    if (open_->will && !broker_.gatekeeper().may_publish(identity_, open_->will->topic)) {
        return refuse(ReasonCode::not_authorized, "its will's topic is not its to publish on");
    }
    accept_session();
}

void Connection::accept_session() {
    const auto attached =
        broker_.attach(*this, open_->clean_start, session_expiry_interval_, open_->will, open_->will_delay);
    if (attached.session == nullptr) return refuse(ReasonCode::quota_exceeded, "there are too many sessions");
    session_ = attached.session;
    state_ = State::connected;
    last_input_ = broker_.now();
    const auto& options = broker_.options();
    ConnAck connack;
    connack.session_present = attached.present;
    auto keep_alive = std::chrono::seconds(open_->keep_alive);
    if (v5()) {
        connack.session_expiry_interval = session_expiry_interval_;
        connack.receive_maximum = options.receive_maximum;
        connack.maximum_packet_size = static_cast<std::uint32_t>(options.packet_bytes_max);
        connack.topic_alias_maximum = options.topic_alias_maximum;
        if (!options.retain_available) connack.retain_available = 0;
        if (keep_alive.count() == 0 || keep_alive > options.keep_alive_max) {
            keep_alive = options.keep_alive_max;
            connack.server_keep_alive = static_cast<std::uint32_t>(keep_alive.count());
        }
        if (open_->assigned_client_id) connack.assigned_client_identifier = identity_.client_id;
    }
    silence_max_ = keep_alive * 1500 / std::chrono::seconds(1) * std::chrono::milliseconds(1);
    window_ = std::min<std::size_t>(open_->receive_maximum, kInFlightMax);
    open_.reset();
    encode_connack(connack, version_, out_);
    for (const auto packet_id : session_->start_over()) {
        encode_acknowledgement({PacketType::pubrel, packet_id, ReasonCode::success}, version_, out_);
    }
    pump();
    transport_.wake();
}

void Connection::refuse(ReasonCode reason, std::string_view what) {
    ++broker_.counting().refused;
    broker_.tell(*this, what);
    ConnAck connack;
    connack.reason = reason;
    if (reason_strings_ && v5()) connack.reason_string = what;
    // MQTT 3.1.1 has no word for a packet that is none: the connection is closed (4.8).
    const bool sayable = v5() || (reason != ReasonCode::malformed_packet && reason != ReasonCode::protocol_error);
    if (sayable) encode_connack(connack, version_, out_);
    state_ = State::closing;
    transport_.wake();
}

void Connection::close(ReasonCode reason, std::string_view what) {
    if (state_ == State::closing) return;
    if (!what.empty()) broker_.tell(*this, what);
    if (!what.empty()) ++broker_.counting().faults;
    if (state_ == State::connected) {
        flush_acks();
        const auto text = reason_strings_ && !what.empty() ? std::optional(what) : std::nullopt;
        encode_disconnect(reason, text, version_, out_);
    }
    state_ = State::closing;
    leave(true);
    transport_.wake();
}

void Connection::on_lost() {
    state_ = State::closing;
    leave(true);
}

void Connection::leave(bool with_will) {
    auto* session = std::exchange(session_, nullptr);
    if (session == nullptr) return;
    held_.clear();
    session->expiry_interval = session_expiry_interval_;
    broker_.detach(*session, with_will);
}

void Connection::on(const Ping& /*ping*/) {
    encode_pingresp(out_);
    transport_.wake();
}

void Connection::on(const Auth& /*auth*/) {
    close(ReasonCode::protocol_error, "AUTH without an authentication method [MQTT-4.12.0-6]");
}

void Connection::on(const Disconnect& disconnect) {
    if (disconnect.session_expiry_interval) {
        if (session_expiry_interval_ == 0 && *disconnect.session_expiry_interval != 0) {
            return close(ReasonCode::protocol_error, "DISCONNECT keeps a session that was to end (MQTT 5, 3.14.2.2.2)");
        }
        session_expiry_interval_ = std::min(*disconnect.session_expiry_interval, broker_.options().session_expiry_max);
    }
    flush_acks();
    state_ = State::closing;
    leave(disconnect.reason != ReasonCode::success);
    transport_.wake();
}

// Messages from the client

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

void Connection::on(const Publish& publish) {
    std::string_view topic;
    if (const auto fault = check_publish(publish, topic)) return close(fault->code, fault->what);
    if (publish.qos == 1) ++unacknowledged_;
    if (publish.qos == 2) incoming_qos2_.insert(publish.packet_id);
    ++broker_.counting().received;
    if (topic.starts_with('$') || !broker_.gatekeeper().may_publish(identity_, topic)) {
        ++broker_.counting().not_authorized;
        // MQTT 3.1.1 has no word for it: acknowledged and not passed on (3.3.5).
        if (publish.qos == 0) return;
        const auto type = publish.qos == 1 ? PacketType::puback : PacketType::pubrec;
        if (publish.qos == 2 && v5()) incoming_qos2_.erase(publish.packet_id);
        return queue_ack(type, publish.packet_id, ReasonCode::not_authorized);
    }
    auto message = std::make_shared<Message>(to_message(publish));
    message->topic = topic;
    message->arrived = broker_.wall_now();
    HeldMessage held{std::move(message), publish.packet_id};
    if (held_.empty() && take_in(held)) return;
    held_bytes_ += held.message->payload.size();
    held_.push_back(std::move(held));
    broker_.wait_for_room(*this);
    if (!wants_input()) transport_.wake();
}

/// @return false: the log has no room
bool Connection::take_in(const HeldMessage& held) {
    const auto qos = held.message->qos;
    const auto type = qos == 1 ? PacketType::puback : PacketType::pubrec;
    if (broker_.is_local_only(held.message->topic)) {
        ++broker_.counting().local_only;
        ++broker_.counting().accepted;
        const bool again = qos == 2 && !session_->take_local(held.packet_id);
        if (qos > 0) queue_ack(type, held.packet_id, ReasonCode::success);
        if (!again) broker_.publish(held.message, session_);
        return true;
    }
    auto ack = std::make_unique<PendingAck>(PendingAck{this, type, held.packet_id});
    auto done = broker_.mailbox().completion(*ack);
    if (qos == 0) ack->connection = nullptr;  // nobody waits for it; it is only counted
    const auto packet_id = qos == 2 ? std::optional(held.packet_id) : std::nullopt;
    switch (broker_.acceptor().try_accept(session_->source(), *held.message, packet_id, std::move(done))) {
        case Acceptor::Taken::full:
            return false;
        case Acceptor::Taken::fresh:
            broker_.publish(held.message, session_);
            break;
        case Acceptor::Taken::duplicate:
            break;
    }
    if (qos > 0) acks_.push_back(ack.get());
    static_cast<void>(ack.release());  // the mailbox brings it
    return true;
}

void Connection::take_held() {
    const bool waited = !wants_input();
    while (!held_.empty() && state_ == State::connected) {
        if (!take_in(held_.front())) break;
        held_bytes_ -= held_.front().message->payload.size();
        held_.pop_front();
    }
    if (!held_.empty()) broker_.wait_for_room(*this);
    if (waited && wants_input()) transport_.wake();
}

/// One that is ready, behind those that are not.
void Connection::queue_ack(PacketType type, std::uint16_t packet_id, ReasonCode reason) {
    acks_.push_back(new PendingAck{this, type, packet_id, reason, true, true});
}

void Connection::flush_acks() {
    const auto before = out_.size();
    while (!acks_.empty() && acks_.front()->ready) {
        const std::unique_ptr<PendingAck> ack(acks_.front());
        acks_.pop_front();
        if (!ack->accepted) continue;  // not kept: never acknowledged
        if (ack->type == PacketType::puback) --unacknowledged_;
        if (ack->type == PacketType::pubcomp) incoming_qos2_.erase(ack->packet_id);
        encode_acknowledgement({ack->type, ack->packet_id, ack->reason}, version_, out_);
    }
    if (out_.size() > before) transport_.wake();
}

void Connection::on_progress() {
    if (state_ != State::connected) return;
    take_held();
    flush_acks();
}

void Connection::release(std::uint16_t packet_id) {
    if (session_->release_local(packet_id)) return queue_ack(PacketType::pubcomp, packet_id, ReasonCode::success);
    auto ack = std::make_unique<PendingAck>(PendingAck{this, PacketType::pubcomp, packet_id});
    const bool known = broker_.acceptor().release(session_->source(), packet_id, broker_.mailbox().completion(*ack));
    if (!known) ack->reason = ReasonCode::packet_identifier_not_found;
    acks_.push_back(ack.release());
}

// Messages to the client

void Connection::on(const Acknowledgement& acknowledgement) {
    const bool failed = static_cast<unsigned>(acknowledgement.reason) >= 0x80U;
    const auto id = acknowledgement.packet_id;
    switch (acknowledgement.type) {
        case PacketType::puback:
            static_cast<void>(session_->on_puback(id));
            break;
        case PacketType::pubrec: {
            const bool known = session_->on_pubrec(id, failed);
            if (failed) break;
            const auto reason = known ? ReasonCode::success : ReasonCode::packet_identifier_not_found;
            encode_acknowledgement({PacketType::pubrel, id, reason}, version_, out_);
            transport_.wake();
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
    for (std::size_t i = 0; i < subscribe.subscriptions.size(); ++i) {
        const auto& subscription = subscribe.subscriptions[i];
        const auto outcome = broker_.subscribe(*session_, identity_, subscription, subscribe.identifier);
        reasons.push_back(outcome.reason);
        const bool wants = subscription.retain_handling == RetainHandling::send ||
                           (subscription.retain_handling == RetainHandling::send_if_new && outcome.is_new);
        if (outcome.is_granted() && wants) due.push_back(i);
    }
    encode_suback(subscribe.packet_id, reasons, version_, out_);
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

void Connection::pump() {
    if (session_ == nullptr || state_ != State::connected) return;
    const auto before = out_.size();
    while (out_.size() < kOutBytesMax) {
        const auto sendable = session_->next(window_);
        if (!sendable) break;
        send(*sendable);
    }
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

void Connection::tick(TimePoint now) {
    if (state_ == State::waiting_for_connect && now - last_input_ > broker_.options().connect_timeout) {
        return close(ReasonCode::success, "no CONNECT in time");
    }
    if (state_ != State::connected) return;
    on_progress();
    if (!wants_input()) {
        last_input_ = now;  // it is we who don't listen
    } else if (silence_max_.count() > 0 && now - last_input_ > silence_max_) {
        close(ReasonCode::keep_alive_timeout, "silent for 1.5 times its keep alive [MQTT-3.1.2-22]");
    }
}

}  // namespace sluice::bridge::mqtt
