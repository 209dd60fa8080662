// connection.hpp: one client's connection as a server sees it: bytes in, bytes out, and what they mean.
//
// Knows no socket: a transport hands it bytes and writes what it has to say. States: waiting for CONNECT, entering (it
// waits for the gatekeeper, then for a new session to be durable), connected, closing (what is in out() is written,
// then the transport closes).
// Order: messages are taken in the order of arrival, and acknowledged in that order, each when it is kept. While the
// log can't take more, messages wait here; beyond a bound the transport stops reading. Pings are answered at once.
// One thread.
#pragma once

#include "bridge/mqtt/ack_mailbox.hpp"
#include "bridge/mqtt/gatekeeper.hpp"
#include "bridge/mqtt/packet.hpp"
#include "bridge/mqtt/packet_decode.hpp"
#include "bridge/mqtt/packet_encode.hpp"
#include "bridge/mqtt/retained.hpp"
#include "bridge/mqtt/session.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace sluice::bridge::mqtt {

class Broker;

/// What carries a connection.
class Transport {
 public:
    virtual ~Transport() = default;
    /// There is something in out(), or wants_input() or is_closing() has changed. Must not call back at once.
    virtual void wake() = 0;
};

/// What the transport knows of the other end.
struct Peer {
    std::string address{};                             ///< for people
    std::optional<std::string> certificate_subject{};  ///< verified
    bool loopback = false;
    std::shared_ptr<void> place{};  ///< among the connections of its address, for as long as it lives
};

/// A message that waits for the log.
struct HeldMessage {
    Message message{};
    std::uint16_t packet_id = 0;
    std::chrono::steady_clock::time_point since{};  ///< of QoS 1 and 2
};

class Connection {
 public:
    using TimePoint = std::chrono::steady_clock::time_point;

    Connection(Broker& broker, Transport& transport, Peer peer);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    /// Takes whole packets from the front of `bytes`. @return how many bytes that were; the rest comes again
    [[nodiscard]] std::size_t take(std::string_view bytes);
    /// What is to be written; the transport clears it when it takes it over.
    [[nodiscard]] std::string& out() { return out_; }
    [[nodiscard]] bool wants_input() const;
    /// Nothing is read any more; after out() is written the transport closes.
    [[nodiscard]] bool is_closing() const { return state_ == State::closing; }
    /// The transport is gone.
    void on_lost();

    // For the broker.
    [[nodiscard]] const Peer& peer() const { return peer_; }
    [[nodiscard]] const Identity& identity() const { return identity_; }
    /// Says why with MQTT 5, and closes. @param what  for the log; empty: nothing worth a line
    void close(ReasonCode reason, std::string_view what);
    /// Sends what its session has for it, as far as its window and its transport go.
    void pump();
    /// An acknowledgement of its queue is ready, the log has room again, or the store has written.
    void on_progress();
    void tick(TimePoint now);
    /// Who may come in has changed.
    void reconsider();

 private:
    enum class State : std::uint8_t { waiting_for_connect, entering, connected, closing };
    struct Open;  // an owned CONNECT that waits for the gatekeeper
    struct Later {
        std::string packet;
        SessionStore::Ticket ticket;
    };

    void handle(const Frame& frame);
    void on(const Connect& connect);
    void on(const Publish& publish);
    void on(const Acknowledgement& acknowledgement);
    void on(const Subscribe& subscribe);
    void on(const Unsubscribe& unsubscribe);
    void on(const Ping& ping);
    void on(const Disconnect& disconnect);
    void on(const Auth& auth);

    void on_verdict(const Gatekeeper::Verdict& verdict);
    void refuse(ReasonCode reason, std::string_view what);
    void accept_session();
    void welcome(bool session_present);
    [[nodiscard]] std::optional<Fault> check_publish(const Publish& publish, std::string_view& topic);
    [[nodiscard]] bool exceeds_receive_maximum(const Publish& publish);
    [[nodiscard]] bool comes_too_early(const Frame& frame) const;
    [[nodiscard]] bool take_in(HeldMessage& held);
    SessionStore::Ticket pass_on(HeldMessage& held, bool is_new = false);
    void take_held();
    void queue_ack(PacketType type, std::uint16_t packet_id, ReasonCode reason, SessionStore::Ticket ticket = 0);
    void flush_acks();
    void release(std::uint16_t packet_id);
    void send(const Session::Sendable& sendable);
    void refill(TimePoint now);
    void say_when_durable(std::string packet, SessionStore::Ticket ticket);
    void flush_later();
    void leave(bool with_will);
    [[nodiscard]] bool v5() const { return version_ == ProtocolVersion::v5; }

    Broker& broker_;
    Transport& transport_;
    const Peer peer_;
    State state_ = State::waiting_for_connect;
    ProtocolVersion version_ = ProtocolVersion::v5;
    Identity identity_;
    bool by_password_ = false;
    bool reason_strings_ = true;
    bool too_early_ = false;  // the next packet waits for an acknowledgement of ours
    std::unique_ptr<Open> open_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // for answers that come after the end
    Session* session_ = nullptr;
    std::string out_;

    std::chrono::milliseconds silence_max_{0};  // 1.5 times the keep alive; 0: none
    TimePoint last_input_;
    TimePoint last_tick_;
    double budget_ = 0;  // messages that it may send now, where there is a limit
    std::uint32_t session_expiry_interval_ = 0;
    std::size_t window_ = 0;  // messages in flight to the client
    std::optional<std::uint32_t> packet_bytes_max_;

    std::unordered_map<std::uint32_t, std::string> aliases_in_;
    std::unordered_map<std::string, std::uint32_t> aliases_out_;
    std::uint32_t alias_out_maximum_ = 0;

    std::deque<PendingAck*> acks_;  // in the order of arrival
    std::deque<Later> later_;       // it waits for the store
    std::deque<HeldMessage> held_;  // the log has no room
    std::size_t held_bytes_ = 0;
    std::size_t unacknowledged_ = 0;         // QoS 1
    std::set<std::uint16_t> incoming_qos2_;  // from PUBLISH to PUBCOMP
};

}  // namespace sluice::bridge::mqtt
