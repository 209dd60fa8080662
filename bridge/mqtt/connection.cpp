#include "bridge/mqtt/connection.hpp"

#include "bridge/mqtt/broker.hpp"
#include "bridge/mqtt/publish_packet.hpp"
#include "bridge/mqtt/text_lines.hpp"
#include "bridge/mqtt/topic_name.hpp"

#include <algorithm>
#include <utility>
#include <variant>

namespace sluice::bridge::mqtt {

namespace {

// What a client may have on hold while the log has no room; then its socket is not read any more.
constexpr std::size_t kHeldMessagesMax = 100;
constexpr std::size_t kHeldBytesMax = 256U << 10U;
// … and what it may wait for; MQTT 3.1.1 has no receive maximum.
constexpr std::size_t kAcksMax = 4096;
constexpr std::size_t kLaterMax = 100;
// Whoever hasn't come in yet shall not take much memory; room for a will of 64 KiB and a token as the password.
constexpr std::size_t kConnectBytesMax = 128U << 10U;
// … and what it may leave unread of our answers.
constexpr std::size_t kOutBytesMax = 1U << 20U;

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
    : broker_(broker),
      transport_(transport),
      peer_(std::move(peer)),
      last_input_(broker.now()),
      last_tick_(broker.now()),
      budget_(broker.options().message_rate_max) {
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
           held_bytes_ < kHeldBytesMax && acks_.size() < kAcksMax && later_.size() < kLaterMax &&
           out_.size() < kOutBytesMax && (broker_.options().message_rate_max == 0 || budget_ >= 1);
}

std::size_t Connection::take(std::string_view bytes) {
    if (state_ == State::connected) last_input_ = broker_.now();  // before, the time for CONNECT runs
    std::size_t taken = 0;
    while (wants_input()) {
        const auto bytes_max = state_ == State::waiting_for_connect
                                   ? std::min(kConnectBytesMax, broker_.options().packet_bytes_max)
                                   : broker_.options().packet_bytes_max;
        const auto next = next_frame(bytes.substr(taken), bytes_max);
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
    if (connect.will && has_too_many_levels(connect.will->topic)) {
        return refuse(ReasonCode::topic_name_invalid, "a will with a topic of too many levels");
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
    state_ = State::entering;
    Credentials credentials{owned(connect.user_name), owned(connect.password), peer_.certificate_subject,
                            peer_.loopback};
    broker_.gatekeeper().authenticate(std::move(credentials),
                                      [this, alive = alive_](const Gatekeeper::Verdict& verdict) {
                                          if (*alive && state_ == State::entering) on_verdict(verdict);
                                      });
}

void Connection::on_verdict(const Gatekeeper::Verdict& verdict) {
    if (verdict.reason != ReasonCode::success) return refuse(verdict.reason, "not let in");
    identity_.user = verdict.user;
    by_password_ = verdict.by_password;
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
    if (attached.present) return welcome(true);
    // The client begins to count its packet identifiers anew, and a kill must not bring back what they stood for, nor
    // take away the session that it will send again in.
    auto* ack = new PendingAck{this, PacketType::connack};
    ack->ticket = attached.ticket;
    acks_.push_back(ack);
    broker_.acceptor().release_all(session_->source(), broker_.mailbox().completion(*ack));
}

void Connection::welcome(bool session_present) {
    state_ = State::connected;
    last_input_ = broker_.now();
    const auto& options = broker_.options();
    ConnAck connack;
    connack.session_present = session_present;
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
    broker_.tell(*this, std::string(what));
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
    if (!what.empty()) {
        ++broker_.counting().faults;
        broker_.tell(*this, std::string(what));
    }
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
    held_bytes_ = 0;
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

void Connection::reconsider() {
    if (state_ != State::connected || !by_password_ || broker_.gatekeeper().has_user(identity_.user.value_or("")))
        return;
    close(ReasonCode::not_authorized, "its user is gone");
}

void Connection::refill(TimePoint now) {
    const double most = broker_.options().message_rate_max;
    const std::chrono::duration<double> passed = now - std::exchange(last_tick_, now);
    if (most == 0) return;
    const bool waited = !wants_input();
    budget_ = std::min(most, budget_ + most * passed.count());
    if (waited && wants_input()) transport_.wake();
}

void Connection::tick(TimePoint now) {
    if (state_ == State::waiting_for_connect && now - last_input_ > broker_.options().connect_timeout) {
        return close(ReasonCode::success, "no CONNECT in time");
    }
    if (state_ != State::connected) return;
    refill(now);
    on_progress();
    if (!wants_input()) {
        last_input_ = now;  // it is we who don't listen
    } else if (silence_max_.count() > 0 && now - last_input_ > silence_max_) {
        close(ReasonCode::keep_alive_timeout, "silent for 1.5 times its keep alive [MQTT-3.1.2-22]");
    }
}

}  // namespace sluice::bridge::mqtt
