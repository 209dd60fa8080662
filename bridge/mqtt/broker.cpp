#include "bridge/mqtt/broker.hpp"

#include "bridge/mqtt/topic_name.hpp"
#include "storage/assert.hpp"

#include <algorithm>
#include <random>
#include <utility>

namespace sluice::bridge::mqtt {

namespace {

constexpr auto kStatisticsInterval = std::chrono::seconds(10);
constexpr auto kLinesInterval = std::chrono::seconds(10);
constexpr int kLinesMax = 10;

std::vector<TopicFilter> parse_filters(const std::vector<std::string>& texts) {
    std::vector<TopicFilter> filters;
    for (const auto& text : texts) {
        auto filter = TopicFilter::parse(text);
        SLUICE_ASSERT(filter.has_value());  // the configuration was checked
        filters.push_back(std::move(*filter));
    }
    return filters;
}

void forget_retained(SessionStore& store, const Message& message) {
    auto nothing = std::make_shared<Message>();
    nothing->topic = message.topic;
    store.put_retained(std::move(nothing));
}

/// So that no client can guess another one's.
std::uint64_t random_start() {
    std::random_device device;
    return (std::uint64_t{device()} << 32U) | device();
}

}  // namespace

Broker::Broker(BrokerOptions options, Acceptor& acceptor, Gatekeeper& gatekeeper, SessionStore& store,
               const storage::Clock& clock, Report report, std::function<void()> wake)
    : options_(std::move(options)),
      acceptor_(acceptor),
      gatekeeper_(gatekeeper),
      store_(store),
      clock_(clock),
      report_(std::move(report)),
      wake_(std::move(wake)),
      mailbox_(wake_),
      local_only_(parse_filters(options_.local_only)),
      retained_(options_.retained),
      now_(std::chrono::steady_clock::now()),
      started_(now_),
      next_statistics_(now_),
      last_name_(random_start()),
      next_lines_(now_) {}

Broker::~Broker() {
    drain();
}

void Broker::add(Connection& connection) {
    connections_.insert(&connection);
    counters_.connections = connections_.size();
}

void Broker::remove(Connection& connection) {
    connections_.erase(&connection);
    waiting_.erase(&connection);
    counters_.connections = connections_.size();
}

std::string Broker::new_client_id() {
    static constexpr std::string_view kDigits = "0123456789abcdefghijklmnopqrstuv";
    std::string name = "auto-";
    for (auto rest = ++last_name_ * 0x9e3779b97f4a7c15U; name.size() < 18; rest >>= 5U) name += kDigits[rest & 31U];
    return name;
}

void Broker::tell(const Connection& connection, std::string_view what) {
    if (now_ >= next_lines_) {
        if (lines_left_out_ > 0) {
            report_(Severity::info, "mqtt", std::to_string(lines_left_out_) + " more of the kind were not said");
        }
        next_lines_ = now_ + kLinesInterval;
        lines_left_ = kLinesMax;
        lines_left_out_ = 0;
    }
    if (lines_left_ == 0) {
        ++lines_left_out_;
        return;
    }
    --lines_left_;
    const auto& name = connection.identity().client_id;
    report_(Severity::info, "mqtt",
            (name.empty() ? std::string("a client") : "client " + name) + " at " + connection.peer().address + ": " +
                std::string(what));
}

void Broker::drain() {
    arrived_.clear();
    mailbox_.take(arrived_);
    std::unordered_set<Connection*> touched;
    touched.swap(waiting_);  // what was kept has made room, or the store has written
    for (auto* ack : arrived_) {
        if (ack->accepted && (ack->type == PacketType::puback || ack->type == PacketType::pubrec)) ++counters_.accepted;
        if (ack->connection == nullptr) {
            delete ack;
            continue;
        }
        ack->ready = true;
        touched.insert(ack->connection);
    }
    for (auto* connection : touched) connection->on_progress();
}

void Broker::tick(TimePoint now) {
    now_ = now;
    const std::vector<Connection*> connections(connections_.begin(), connections_.end());
    for (auto* connection : connections) connection->tick(now);
    std::vector<std::string> over;
    for (auto& [client_id, live] : sessions_) {
        if (live.will_at && *live.will_at <= now) send_will(live);
        if (live.ends_at && *live.ends_at <= now) over.push_back(client_id);
    }
    for (const auto& client_id : over) end_session(client_id);
    if (now < next_statistics_) return;
    next_statistics_ = now + kStatisticsInterval;
    for (const auto& expired : retained_.remove_expired(clock_.now())) forget_retained(store_, *expired);
    publish_statistics();
}

void Broker::reconsider() {
    const std::vector<Connection*> connections(connections_.begin(), connections_.end());
    for (auto* connection : connections) connection->reconsider();
}

void Broker::shut_down() {
    const std::vector<Connection*> connections(connections_.begin(), connections_.end());
    for (auto* connection : connections) connection->close(ReasonCode::server_shutting_down, {});
}

// Sessions

Broker::Attached Broker::attach(Connection& connection, bool clean_start, std::uint32_t expiry_interval,
                                MessagePtr will, std::uint32_t will_delay) {
    const auto client_id = connection.identity().client_id;
    if (const auto found = sessions_.find(client_id); found != sessions_.end()) {
        if (auto* old = found->second.connection) old->close(ReasonCode::session_taken_over, {});
    }
    // An old session without an expiry interval has ended with its connection.
    const auto ended = clean_start ? end_session(client_id) : 0;
    const auto found = sessions_.find(client_id);
    const bool present = found != sessions_.end();
    if (!present && sessions_.size() >= options_.sessions_max) return {};
    auto& live = present ? found->second : make_live(client_id, ++last_id_);
    live.connection = &connection;
    live.identity = connection.identity();
    live.session->expiry_interval = expiry_interval;
    live.ends_at.reset();
    live.will_at.reset();  // it came back in time [MQTT-3.1.3-9]
    live.will = std::move(will);
    live.will_delay = will_delay;
    const auto stored = store(live);
    return {live.session.get(), present, std::max(ended, stored)};
}

Broker::Live& Broker::make_live(const std::string& client_id, SubscriberId id) {
    auto& live = sessions_[client_id];
    live.session = std::make_unique<Session>(client_id, id, options_.queue, queued_bytes_, store_);
    by_id_[id] = &live;
    counters_.sessions = sessions_.size();
    return live;
}

void Broker::detach(Session& session, bool with_will) {
    const auto client_id = session.client_id();
    auto& live = sessions_.at(client_id);
    live.connection = nullptr;
    const std::chrono::seconds expiry(session.expiry_interval);
    if (!with_will) live.will.reset();
    if (live.will) {
        live.will_at = now_ + std::min(std::chrono::seconds(live.will_delay), expiry);
        if (*live.will_at <= now_) send_will(live);
    }
    if (expiry.count() == 0) {
        end_session(client_id);
        return;
    }
    live.ends_at = now_ + expiry;
    store(live);
}

/// @return when it does not come back with a restart
SessionStore::Ticket Broker::end_session(const std::string& client_id) {
    const auto found = sessions_.find(client_id);
    if (found == sessions_.end()) return 0;
    auto& live = found->second;
    if (live.will_at) send_will(live);  // it ends with the session at the latest [MQTT-3.1.3-9]
    const auto ticket = live.stored ? store_.remove_session(live.session->id()) : 0;
    tree_.remove_all(live.session->id());
    acceptor_.release_all(live.session->source(), mailbox_.completion(*new PendingAck{nullptr, PacketType::pubcomp}));
    by_id_.erase(live.session->id());
    sessions_.erase(found);
    counters_.sessions = sessions_.size();
    counters_.subscriptions = tree_.size();
    return ticket;
}

void Broker::send_will(Live& live) {
    const auto will = std::exchange(live.will, nullptr);
    live.will_at.reset();
    if (!will) return;
    if (live.stored) store(live);
    auto message = *will;
    message.arrived = clock_.now();
    if (!is_local_only(message.topic)) {
        auto* ack = new PendingAck{};
        const auto taken =
            acceptor_.try_accept(live.session->source(), message, std::nullopt, mailbox_.completion(*ack));
        if (taken == Acceptor::Taken::full) {
            delete ack;
            report_(Severity::warning, "mqtt",
                    "the will of client " + live.session->client_id() + " is not kept: the log has no room");
        }
    }
    publish(std::move(message), nullptr);
}

/// Writes down what is to be there after a restart: a session that outlives its connection, and a will.
SessionStore::Ticket Broker::store(Live& live) {
    auto& session = *live.session;
    const bool is_kept = session.expiry_interval > 0;
    if (live.stored && (!is_kept || !session.is_kept())) store_.remove_session(session.id());
    session.set_kept(is_kept);
    live.stored = is_kept || live.will;
    if (!live.stored) return 0;
    StoredSession stored;
    stored.id = session.id();
    stored.client_id = session.client_id();
    stored.user = live.identity.user;
    stored.expiry_interval = session.expiry_interval;
    if (live.ends_at) stored.ends_at = wall(*live.ends_at);
    stored.will = live.will;
    stored.will_delay = live.will_delay;
    if (live.will_at) stored.will_at = wall(*live.will_at);
    return store_.put_session(std::move(stored));
}

storage::Timestamp Broker::wall(TimePoint time) const {
    return clock_.now() + std::chrono::duration_cast<std::chrono::milliseconds>(time - now_);
}

Broker::TimePoint Broker::steady(storage::Timestamp time) const {
    return now_ + (time - clock_.now());
}

void Broker::start() {
    auto state = store_.take_state();
    for (auto& message : state.retained) {
        if (!options_.retain_available) break;
        if (has_expired(*message, clock_.now()) || !retained_.put(message)) forget_retained(store_, *message);
    }
    for (auto& entry : state.sessions) restore(std::move(entry));
    store_.start(wake_);
}

void Broker::restore(StoredState::Entry entry) {
    auto& stored = entry.session;
    last_id_ = std::max(last_id_, stored.id);
    auto& live = make_live(stored.client_id, stored.id);
    auto& session = *live.session;
    live.stored = true;
    live.identity = {stored.user, stored.client_id};
    live.will = std::move(stored.will);
    live.will_delay = stored.will_delay;
    session.expiry_interval = std::min(stored.expiry_interval, options_.session_expiry_max);
    session.set_kept(stored.expiry_interval > 0);
    session.restore(std::move(entry.outgoing), entry.incoming);
    for (const auto& [filter, options] : entry.subscriptions) tree_.add(session.id(), filter, options);
    session.subscriptions = std::move(entry.subscriptions);
    counters_.subscriptions = tree_.size();
    if (!stored.ends_at) return detach(session, true);  // it was connected when the agent ended
    live.ends_at = steady(*stored.ends_at);
    if (stored.will_at) live.will_at = steady(*stored.will_at);
}

// Subscriptions

Broker::Subscribed Broker::subscribe(Session& session, const Identity& identity, const Subscription& subscription,
                                     std::optional<std::uint32_t> identifier) {
    const auto shared = parse_shared(subscription.filter);
    if (!gatekeeper_.may_subscribe(identity, shared ? shared->filter : subscription.filter)) {
        ++counters_.not_authorized;
        return {ReasonCode::not_authorized};
    }
    if (has_too_many_levels(subscription.filter)) return {ReasonCode::topic_filter_invalid};
    const std::string filter(subscription.filter);
    if (!session.subscriptions.contains(filter) && session.subscriptions.size() >= options_.subscriptions_max) {
        return {ReasonCode::quota_exceeded};
    }
    const SubscriptionOptions kept{subscription.qos, subscription.no_local, subscription.retain_as_published,
                                   identifier};
    session.subscriptions[filter] = kept;
    const auto ticket = session.is_kept() ? store_.put_subscription(session.id(), filter, kept) : 0;
    const bool is_new = tree_.add(session.id(), filter, kept);
    counters_.subscriptions = tree_.size();
    return {static_cast<ReasonCode>(subscription.qos), is_new, ticket};
}

bool Broker::unsubscribe(Session& session, std::string_view filter) {
    session.subscriptions.erase(std::string(filter));
    if (session.is_kept()) store_.remove_subscription(session.id(), filter);
    const bool had = tree_.remove(session.id(), filter);
    counters_.subscriptions = tree_.size();
    return had;
}

void Broker::send_retained(Session& session, const Subscription& subscription,
                           std::optional<std::uint32_t> identifier) {
    if (is_shared(subscription.filter)) return;  // nothing retained is sent to a group (MQTT 5, 4.8.2)
    auto& live = *by_id_.at(session.id());
    for (auto& message : retained_.match(subscription.filter, clock_.now())) {
        Outgoing outgoing{std::move(message), 0, true};
        outgoing.qos = std::min(outgoing.message->qos, subscription.qos);
        if (identifier) outgoing.identifiers.push_back(*identifier);
        deliver(live, std::move(outgoing));
    }
}

// Messages

bool Broker::is_local_only(std::string_view topic) const {
    std::vector<std::string_view> captures;
    return std::any_of(local_only_.begin(), local_only_.end(),
                       [&](const TopicFilter& filter) { return filter.matches(topic, captures); });
}

SessionStore::Ticket Broker::publish(Message message, const Session* publisher) {
    const bool retain = message.retain && options_.retain_available;
    if (!retain && tree_.size() == 0) return 0;
    const auto from = publisher == nullptr ? std::nullopt : std::optional(publisher->id());
    auto matches = tree_.match(message.topic, from);
    if (!retain && matches.empty()) return 0;
    const auto shared = std::make_shared<const Message>(std::move(message));
    SessionStore::Ticket ticket = 0;
    if (retain) {
        const bool is_own = shared->topic.starts_with('$');  // the next start says it anew
        if (!retained_.put(shared))
            report_(Severity::warning, "mqtt",
                    "a message on " + shared->topic + " is not retained: there are too many");
        else if (!is_own)
            ticket = store_.put_retained(shared);
    }
    for (auto& match : matches) {
        const auto live = by_id_.find(match.subscriber);
        if (live == by_id_.end()) continue;
        Outgoing outgoing{shared, std::min(shared->qos, match.qos), shared->retain && match.retain_as_published,
                          std::move(match.identifiers)};
        ticket = std::max(ticket, deliver(*live->second, std::move(outgoing)));
    }
    return ticket;
}

SessionStore::Ticket Broker::deliver(Live& live, Outgoing outgoing) {
    const bool away = live.connection == nullptr;
    // QoS 0 is not kept for a client that is away; MQTT leaves it to the server.
    if ((away && outgoing.qos == 0) || !gatekeeper_.may_read(live.identity, outgoing.message->topic)) return 0;
    const auto ticket = live.session->enqueue(std::move(outgoing));
    if (!ticket) {
        ++counters_.dropped;
        return 0;
    }
    if (!away) live.connection->pump();
    return *ticket;
}

void Broker::publish_statistics() {
    const auto put = [this](const char* name, const std::string& value) {
        Message message;
        message.topic = std::string("$SYS/broker/") + name;
        message.payload = value;
        message.retain = true;
        message.arrived = clock_.now();
        publish(std::move(message), nullptr);
    };
    put("version", "sluice");
    put("uptime",
        std::to_string(std::chrono::duration_cast<std::chrono::seconds>(now_ - started_).count()) + " seconds");
    put("clients/connected", std::to_string(counters_.connections));
    put("clients/total", std::to_string(counters_.sessions));
    put("subscriptions/count", std::to_string(counters_.subscriptions));
    put("retained messages/count", std::to_string(retained_.size()));
    put("messages/received", std::to_string(counters_.received));
    put("messages/sent", std::to_string(counters_.sent));
    put("publish/messages/dropped", std::to_string(counters_.dropped));
}

}  // namespace sluice::bridge::mqtt
