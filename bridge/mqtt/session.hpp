// session.hpp: what a server keeps of a client from one connection to the next: the messages on their way to it.
//
// Outgoing messages wait in a queue, and at most `in_flight_max` of QoS 1 and 2 are sent and not acknowledged. Their
// packet identifiers start at 1 and go up. After a reconnect those in flight are sent again, in their order, before
// anything else [MQTT-4.4.0-1], [MQTT-4.6.0-1]. (Incoming messages of QoS 2: qos2_state.hpp.)
// One thread.
#pragma once

#include "bridge/mqtt/packet.hpp"
#include "bridge/mqtt/retained.hpp"
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

class Session {
 public:
    Session(std::string client_id, SubscriberId id, std::size_t queued_max, std::size_t queued_bytes_max);

    [[nodiscard]] const std::string& client_id() const { return client_id_; }
    [[nodiscard]] SubscriberId id() const { return id_; }
    /// The name that its packet identifiers are kept under.
    [[nodiscard]] const std::string& source() const { return source_; }

    std::map<std::string, SubscriptionOptions> subscriptions;  ///< as they are in the tree
    std::uint32_t expiry_interval = 0;                         ///< seconds; 0: it ends with its connection

    /// @return false: the queue is full, and the message is not for this client any more
    bool enqueue(Outgoing outgoing);
    [[nodiscard]] std::size_t queued() const { return queue_.size(); }
    [[nodiscard]] std::size_t in_flight() const { return in_flight_.size(); }

    /// The next message that may be sent, with its packet identifier (0 for QoS 0); nullopt where there is none or
    /// the window is full. It is in flight then.
    struct Sendable {
        const Outgoing* outgoing;  ///< valid until the next call
        std::uint16_t packet_id;
        bool again;  ///< it was sent before, in an earlier connection
    };
    [[nodiscard]] std::optional<Sendable> next(std::size_t in_flight_max);
    /// The one that next() gave won't be sent after all: too large for the client, or expired.
    void drop(const Sendable& sendable);

    /// An incoming message of QoS 2 that is passed on and not kept. @return whether it is new
    bool take_local(std::uint16_t packet_id) { return local_qos2_.insert(packet_id).second; }
    /// @return whether there was such a message
    bool release_local(std::uint16_t packet_id) { return local_qos2_.erase(packet_id) > 0; }

    /// A new connection: next() gives what is in flight again. @return the identifiers whose PUBREL is to be repeated
    [[nodiscard]] std::vector<std::uint16_t> start_over();

    /// An acknowledgement from the client. @return whether the identifier stands for a message in that state
    bool on_puback(std::uint16_t packet_id);
    /// @param failed  the client refuses it: the exchange ends
    bool on_pubrec(std::uint16_t packet_id, bool failed);
    bool on_pubcomp(std::uint16_t packet_id);

 private:
    enum class State : std::uint8_t { published, released };
    struct InFlight {
        std::uint16_t packet_id;
        State state;
        Outgoing outgoing;
        bool sent = true;  // in this connection
    };
    [[nodiscard]] std::deque<InFlight>::iterator find(std::uint16_t packet_id);
    [[nodiscard]] std::uint16_t free_packet_id();

    const std::string client_id_;
    const SubscriberId id_;
    const std::string source_;
    const std::size_t queued_max_;
    const std::size_t queued_bytes_max_;
    std::deque<Outgoing> queue_;
    std::size_t queued_bytes_ = 0;
    std::deque<InFlight> in_flight_;
    std::optional<Outgoing> sent_;  // of QoS 0, for as long as next() promises
    std::size_t unsent_ = 0;        // of those in flight, in this connection
    std::uint16_t last_packet_id_ = 0;
    std::set<std::uint16_t> local_qos2_;
};

}  // namespace sluice::bridge::mqtt
