// session_store.hpp: what the server keeps over a restart: sessions with their subscriptions and the messages on their
// way to them, wills, and retained messages.
//
// Changes are collected and written by a thread of its own, in their order, as many a transaction as have come since
// the last one. A message that its subscriber acknowledges before it was written is never written. Who must not go on
// before a change is durable (an acknowledgement to a publisher, PUBREL, SUBACK) keeps its ticket and asks.
// A database of its own (sessions.db): docs/decisions/sessions-database.md.
#pragma once

#include "bridge/mqtt/retained.hpp"
#include "bridge/mqtt/subscription_tree.hpp"
#include "bridge/report.hpp"
#include "storage/result.hpp"
#include "storage/types.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::bridge::mqtt {

/// A message of QoS 1 or 2 on its way to a session.
struct StoredOutgoing {
    std::uint64_t sequence = 0;  ///< their order; never used twice in a session
    std::uint16_t packet_id = 0;
    std::uint8_t qos = 0;
    bool retain = false;
    bool released = false;  ///< of QoS 2: PUBREC has come, and `message` is gone
    std::vector<std::uint32_t> identifiers{};
    MessagePtr message{};
};

struct StoredSession {
    SubscriberId id = 0;
    std::string client_id{};
    std::optional<std::string> user{};
    std::uint32_t expiry_interval = 0;            ///< seconds
    std::optional<storage::Timestamp> ends_at{};  ///< nullopt: it was connected
    MessagePtr will{};
    std::uint32_t will_delay = 0;  ///< seconds
    std::optional<storage::Timestamp> will_at{};
};

struct StoredState {
    struct Entry {
        StoredSession session;
        std::map<std::string, SubscriptionOptions> subscriptions{};
        std::vector<StoredOutgoing> outgoing{};  ///< in their order
        std::vector<std::uint16_t> incoming{};   ///< packet identifiers of QoS 2
    };
    std::vector<Entry> sessions{};
    std::vector<MessagePtr> retained{};
};

class SessionStore {
 public:
    /// Names a transaction that is to come: 0 is done.
    using Ticket = std::uint64_t;

    /// Opens the database, or makes it.
    /// @return an error that says what to do
    [[nodiscard]] static storage::Result<std::unique_ptr<SessionStore>> open(const std::string& path, Report report);
    /// Writes what there is still to write, if the disk takes it.
    ~SessionStore();
    SessionStore(const SessionStore&) = delete;
    SessionStore& operator=(const SessionStore&) = delete;

    /// What the last run has left; once, before the first change.
    [[nodiscard]] StoredState take_state();
    /// @param on_durable  called on the store's thread after each transaction
    void start(std::function<void()> on_durable);
    /// Writes what there is and ends the thread.
    void stop();

    /// For as long as it lives, what is put comes into one transaction.
    class Hold {
     public:
        explicit Hold(SessionStore& store);
        ~Hold();
        Hold(const Hold&) = delete;
        Hold& operator=(const Hold&) = delete;

     private:
        SessionStore& store_;
    };

    // From one thread.
    Ticket put_session(StoredSession session);
    /// With all that it has.
    Ticket remove_session(SubscriberId session);
    Ticket put_subscription(SubscriberId session, const std::string& filter, const SubscriptionOptions& options);
    Ticket remove_subscription(SubscriberId session, std::string_view filter);
    Ticket put_outgoing(SubscriberId session, StoredOutgoing outgoing);
    Ticket release_outgoing(SubscriberId session, std::uint64_t sequence);
    Ticket remove_outgoing(SubscriberId session, std::uint64_t sequence);
    Ticket put_incoming(SubscriberId session, std::uint16_t packet_id);
    Ticket remove_incoming(SubscriberId session, std::uint16_t packet_id);
    /// An empty payload: its topic has none any more.
    Ticket put_retained(MessagePtr message);

    /// That of the last change.
    [[nodiscard]] Ticket last() const;
    /// From any thread.
    [[nodiscard]] bool is_durable(Ticket ticket) const;

 private:
    class Impl;
    explicit SessionStore(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace sluice::bridge::mqtt
