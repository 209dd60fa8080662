// session.hpp: what a server keeps of a client from one connection to the next: the messages on their way to it.
//
// Outgoing messages wait in a queue, and at most `in_flight_max` of QoS 1 and 2 are sent and not acknowledged. Their
// packet identifiers start at 1 and go up; each has its own from the time that it is queued. After a reconnect those in
// flight are sent again, in their order, before anything else [MQTT-4.4.0-1], [MQTT-4.6.0-1]. A session that is kept
// is in the session store too: one of QoS 2 is not sent before it is durable there with its packet identifier, so that
// it can't come under another one after a restart. (Incoming messages of QoS 2 and the log: qos2_state.hpp.)
// One thread.
#pragma once

#include "bridge/mqtt/packet.hpp"
#include "bridge/mqtt/retained.hpp"
#include "bridge/mqtt/session_store.hpp"
#include "bridge/mqtt/subscription_tree.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace sluice::bridge::mqtt {

/// One message for one client.
struct Outgoing {
    MessagePtr message;
    std::uint8_t qos = 0;
    bool retain = false;
    std::vector<std::uint32_t> identifiers{};  ///< of the subscriptions that it came by
};

struct QueueLimits {
    std::size_t messages_max = 1000;         ///< that wait for one session; at most kQueuedMessagesMax
    std::size_t bytes_max = 4U << 20U;       ///< … and those in flight to it
    std::size_t all_bytes_max = 64U << 20U;  ///< … of all sessions
};
/// Packet identifiers have 16 bits.
inline constexpr std::size_t kQueuedMessagesMax = 60'000;
/// Messages of QoS 1 and 2 that are sent to one client and not acknowledged, whatever it allows.
inline constexpr std::size_t kInFlightMax = 100;

class Session {
 public:
    using Ticket = SessionStore::Ticket;

    /// @param all_bytes  what waits for all sessions: each adds its own
    Session(std::string client_id, SubscriberId id, const QueueLimits& limits, std::size_t& all_bytes,
            SessionStore& store);
    ~Session();
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    [[nodiscard]] const std::string& client_id() const { return client_id_; }
    [[nodiscard]] SubscriberId id() const { return id_; }
    /// The name that its packet identifiers are kept under.
    [[nodiscard]] const std::string& source() const { return source_; }

    std::map<std::string, SubscriptionOptions> subscriptions;  ///< as they are in the tree
    std::uint32_t expiry_interval = 0;                         ///< seconds; 0: it ends with its connection

    /// Whether the store has it. It starts without; what it has when that changes is the caller's to store or remove.
    [[nodiscard]] bool is_kept() const { return kept_; }
    void set_kept(bool kept) { kept_ = kept; }
    /// What the store had of it.
    void restore(std::vector<StoredOutgoing> outgoing, const std::vector<std::uint16_t>& incoming);

    /// @return when the store has it; nullopt: there is no room, and the message is not for this client any more
    [[nodiscard]] std::optional<Ticket> enqueue(Outgoing outgoing);
    [[nodiscard]] std::size_t queued() const { return queue_.size(); }
    [[nodiscard]] std::size_t in_flight() const { return in_flight_.size(); }

    /// The next message that may be sent, with its packet identifier (0 for QoS 0); nullopt where there is none, the
    /// window is full, or it is not durable. It is in flight then.
    struct Sendable {
        const Outgoing* outgoing;  ///< valid until the next call
        std::uint16_t packet_id;
        bool again;  ///< it was sent before, or may have been
    };
    [[nodiscard]] std::optional<Sendable> next(std::size_t in_flight_max);
    /// Whether next() waits for the store.
    [[nodiscard]] bool waits_for_store() const;
    /// The one that next() gave won't be sent after all: too large for the client, or expired.
    void drop(const Sendable& sendable);

    /// An incoming message of QoS 2 was handed to those who have subscribed, and is not to be again until its release.
    /// @param stored  some of them are in the store: after a restart it counts still
    void add_incoming(std::uint16_t packet_id, bool stored);
    [[nodiscard]] bool has_incoming(std::uint16_t packet_id) const { return incoming_.contains(packet_id); }
    /// @return when a message may come under the identifier again; nullopt where there was none
    [[nodiscard]] std::optional<Ticket> release_incoming(std::uint16_t packet_id);

    /// A new connection: next() gives what is in flight again. @return the identifiers whose PUBREL is to be repeated
    [[nodiscard]] std::vector<std::uint16_t> start_over();

    /// An acknowledgement from the client. @return whether the identifier stands for a message in that state
    bool on_puback(std::uint16_t packet_id);
    /// @param failed  the client refuses it: the exchange ends
    /// @return when PUBREL may be said; nullopt for an unknown identifier
    std::optional<Ticket> on_pubrec(std::uint16_t packet_id, bool failed);
    bool on_pubcomp(std::uint16_t packet_id);

 private:
    enum class State : std::uint8_t { published, released };
    struct Queued {
        Outgoing outgoing;
        std::uint16_t packet_id = 0;  // 0: of QoS 0
        std::uint64_t sequence = 0;
        Ticket ticket = 0;
    };
    struct InFlight : Queued {
        State state = State::published;
        bool sent = true;  // in this connection
    };
    using InFlightPlace = std::deque<InFlight>::iterator;
    [[nodiscard]] InFlightPlace find(std::uint16_t packet_id);
    [[nodiscard]] std::uint16_t free_packet_id();
    void finish(InFlightPlace place);
    void count_bytes(const Outgoing& outgoing, bool more);

    const std::string client_id_;
    const SubscriberId id_;
    const std::string source_;
    const QueueLimits limits_;
    std::size_t& all_bytes_;
    SessionStore& store_;
    bool kept_ = false;
    std::deque<Queued> queue_;
    std::deque<InFlight> in_flight_;
    std::size_t bytes_ = 0;         // of both
    std::optional<Outgoing> sent_;  // of QoS 0, for as long as next() promises
    std::size_t unsent_ = 0;        // of those in flight, in this connection
    std::uint16_t last_packet_id_ = 0;
    std::uint64_t last_sequence_ = 0;
    std::map<std::uint16_t, bool> incoming_;  // … and whether it is stored
};

}  // namespace sluice::bridge::mqtt
