// broker.hpp: the server behind all connections: sessions, subscriptions, retained messages, wills.
//
// A message of a client goes to the log (acceptor.hpp), unless its topic is local only, and to those who have
// subscribed to it, whether the log has it durable yet or not. It is acknowledged when the log has it, and the sessions
// that are to get it after a restart too. One thread, but for what the mailbox and the session store bring. Sources:
// MQTT 5 sections 3 and 4; MQTT 3.1.1 where it differs.
#pragma once

#include "bridge/mqtt/acceptor.hpp"
#include "bridge/mqtt/ack_mailbox.hpp"
#include "bridge/mqtt/broker_options.hpp"
#include "bridge/mqtt/connection.hpp"
#include "bridge/mqtt/gatekeeper.hpp"
#include "bridge/mqtt/retained.hpp"
#include "bridge/mqtt/session.hpp"
#include "bridge/mqtt/subscription_tree.hpp"
#include "bridge/mqtt/topic_filter.hpp"
#include "bridge/report.hpp"
#include "storage/clock.hpp"
#include "storage/duration_histogram.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace sluice::bridge::mqtt {

/// Since the start, but for the first four. Read from any thread.
struct BrokerCounters {
    std::atomic<std::uint64_t> connections{0};
    std::atomic<std::uint64_t> sessions{0};
    std::atomic<std::uint64_t> subscriptions{0};
    std::atomic<std::uint64_t> retained{0};        ///< counted a few times a second
    std::atomic<std::uint64_t> received{0};        ///< messages of clients
    std::atomic<std::uint64_t> accepted{0};        ///< … kept, or local only
    std::atomic<std::uint64_t> local_only{0};      ///< … that are passed on and not kept
    std::atomic<std::uint64_t> sent{0};            ///< messages to subscribers
    std::atomic<std::uint64_t> dropped{0};         ///< … that found a full queue, a client's limit, or expired
    std::atomic<std::uint64_t> not_retained{0};    ///< there were too many
    std::atomic<std::uint64_t> wills_lost{0};      ///< the log had no room for so long that too many waited
    std::atomic<std::uint64_t> refused{0};         ///< CONNECTs, and connections that were not let that far
    std::atomic<std::uint64_t> not_authorized{0};  ///< publishes and subscriptions
    std::atomic<std::uint64_t> faults{0};          ///< connections that broke the protocol
    storage::DurationHistogram acknowledgement;    ///< from a PUBLISH of QoS 1 or 2 to PUBACK or PUBREC
};

class Broker {
 public:
    using TimePoint = Connection::TimePoint;

    /// @param wake  called from any thread: drain() shall be called on this one
    /// @param store  not started; it outlives the broker
    Broker(BrokerOptions options, Acceptor& acceptor, Gatekeeper& gatekeeper, SessionStore& store,
           const storage::Clock& clock, Report report, std::function<void()> wake);
    ~Broker();
    Broker(const Broker&) = delete;
    Broker& operator=(const Broker&) = delete;

    /// Goes on with what the store has; before anything else.
    void start();
    /// Takes what has become durable, and goes on.
    void drain();
    /// Keep-alives, expiries, wills. Call it a few times a second.
    void tick(TimePoint now);
    /// The gatekeeper has changed its mind: those are closed that could not come in any more.
    void reconsider();
    /// These two of the options may change while it runs.
    void set_limits(unsigned message_rate_max, std::size_t subscriptions_max) {
        options_.message_rate_max = message_rate_max;
        options_.subscriptions_max = subscriptions_max;
    }
    /// Says goodbye to all clients.
    void shut_down();
    [[nodiscard]] const BrokerCounters& counters() const { return counters_; }

    // For connections.
    [[nodiscard]] const BrokerOptions& options() const { return options_; }
    [[nodiscard]] Acceptor& acceptor() { return acceptor_; }
    [[nodiscard]] Gatekeeper& gatekeeper() { return gatekeeper_; }
    [[nodiscard]] AckMailbox& mailbox() { return mailbox_; }
    [[nodiscard]] BrokerCounters& counting() { return counters_; }
    [[nodiscard]] storage::Timestamp wall_now() const { return clock_.now(); }
    [[nodiscard]] TimePoint now() const { return now_; }
    void add(Connection& connection);
    void remove(Connection& connection);
    [[nodiscard]] std::string new_client_id();

    struct Attached {
        Session* session = nullptr;       ///< nullptr: there are too many
        bool present = false;             ///< it was there before
        SessionStore::Ticket ticket = 0;  ///< a new one is there after a restart, and the one that it replaces is not
    };
    /// Takes the session of this client identifier over, or makes one. What a new one's packet identifiers stood for
    /// before it is the caller's to release.
    /// @param will  replaces what the session had
    [[nodiscard]] Attached attach(Connection& connection, bool clean_start, std::uint32_t expiry_interval,
                                  MessagePtr will, std::uint32_t will_delay);
    /// The connection of the session has ended.
    void detach(Session& session, bool with_will);
    struct Subscribed {
        ReasonCode reason;  ///< for SUBACK
        bool is_new = false;
        SessionStore::Ticket ticket = 0;  ///< the session has it after a restart
        [[nodiscard]] bool is_granted() const { return static_cast<unsigned>(reason) <= 2; }
    };
    [[nodiscard]] Subscribed subscribe(Session& session, const Identity& identity, const Subscription& subscription,
                                       std::optional<std::uint32_t> identifier);
    void send_retained(Session& session, const Subscription& subscription, std::optional<std::uint32_t> identifier);
    [[nodiscard]] bool unsubscribe(Session& session, std::string_view filter);
    [[nodiscard]] bool is_local_only(std::string_view topic) const;
    /// Keeps a retained message and hands the message to those who have subscribed.
    /// @return when those have it that are to get it after a restart
    SessionStore::Ticket publish(Message message, const Session* publisher);
    [[nodiscard]] SessionStore& store() { return store_; }
    /// The connection has messages that wait for room in the log, or something to say that waits for the store.
    void wait(Connection& connection) { waiting_.insert(&connection); }
    /// A line for people about a client, of which there are not more than a few a second.
    void tell(const Connection& connection, const std::string& what);
    void tell(Severity severity, const std::string& line);

 private:
    struct Live {
        std::unique_ptr<Session> session;
        Connection* connection = nullptr;
        Identity identity;
        std::optional<TimePoint> ends_at;  // without a connection
        MessagePtr will;
        std::uint32_t will_delay = 0;
        std::optional<TimePoint> will_at;
        bool stored = false;  // it has a row
    };
    /// One that the log had no room for.
    struct LateWill {
        std::string source;
        Message message;
    };
    void restore(StoredState::Entry entry);
    Live& make_live(const std::string& client_id, SubscriberId id);
    SessionStore::Ticket store(Live& live);
    [[nodiscard]] storage::Timestamp wall(TimePoint time) const;
    [[nodiscard]] TimePoint steady(storage::Timestamp time) const;
    SessionStore::Ticket end_session(const std::string& client_id);
    void send_will(Live& live);
    [[nodiscard]] bool keep_will(const LateWill& will);
    void keep_late_wills();
    void tick_some_connections();
    SessionStore::Ticket deliver(Live& live, Outgoing outgoing);
    void publish_statistics();
    void renew_lines();

    BrokerOptions options_;
    Acceptor& acceptor_;
    Gatekeeper& gatekeeper_;
    SessionStore& store_;
    const storage::Clock& clock_;
    const Report report_;
    const std::function<void()> wake_;
    AckMailbox mailbox_;
    std::vector<PendingAck*> arrived_;
    std::vector<TopicFilter> local_only_;
    std::size_t queued_bytes_ = 0;  // of all sessions, which count them
    std::unordered_map<std::string, Live> sessions_;
    std::unordered_map<SubscriberId, Live*> by_id_;
    std::vector<Connection*> connections_;
    std::size_t next_ticked_ = 0;              // of them
    std::unordered_set<Connection*> waiting_;  // for the log or the store
    std::deque<LateWill> late_wills_;
    SubscriptionTree tree_;
    RetainedMessages retained_;
    BrokerCounters counters_;
    TimePoint now_;
    const TimePoint started_;
    TimePoint next_statistics_;
    SubscriberId last_id_ = 0;
    std::uint64_t last_name_ = 0;
    int lines_left_ = 0;
    std::uint64_t lines_left_out_ = 0;
    TimePoint next_lines_;
};

}  // namespace sluice::bridge::mqtt
