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
constexpr std::size_t kTicksOfAll = 5;  // in which each connection has had its turn

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

void Broker::start() {
    auto state = store_.take_state();
    for (auto& message : state.retained) {
        if (!options_.retain_available) break;
        if (has_expired(*message, clock_.now()) || !retained_.put(message)) forget_retained(store_, *message);
    }
    for (auto& entry : state.sessions) restore(std::move(entry));
    store_.start(wake_);
}

void Broker::add(Connection& connection) {
    connections_.push_back(&connection);
    counters_.connections = connections_.size();
}

void Broker::remove(Connection& connection) {
    std::erase(connections_, &connection);
    waiting_.erase(&connection);
    counters_.connections = connections_.size();
}

std::string Broker::new_client_id() {
    static constexpr std::string_view kDigits = "0123456789abcdefghijklmnopqrstuv";
    std::string name = "auto-";
    for (auto rest = ++last_name_ * 0x9e3779b97f4a7c15U; name.size() < 18; rest >>= 5U) name += kDigits[rest & 31U];
    return name;
}

void Broker::tell(const Connection& connection, const std::string& what) {
    const auto& name = connection.identity().client_id;
    tell(Severity::info, (name.empty() ? std::string("a client") : "client " + name) + " at " +
                             connection.peer().address + ": " + what);
}

void Broker::tell(Severity severity, const std::string& line) {
    renew_lines();
    if (lines_left_ == 0) {
        ++lines_left_out_;
        return;
    }
    --lines_left_;
    report_(severity, "mqtt", line);
}

void Broker::renew_lines() {
    if (now_ < next_lines_) return;
    if (lines_left_out_ > 0) {
        report_(Severity::info, "mqtt", std::to_string(lines_left_out_) + " more of the kind were not said");
    }
    next_lines_ = now_ + kLinesInterval;
    lines_left_ = kLinesMax;
    lines_left_out_ = 0;
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
    drain();  // what waits for room in the log
    tick_some_connections();
    counters_.retained = retained_.size();
    std::vector<std::string> over;
    for (auto& [client_id, live] : sessions_) {
        if (live.will_at && *live.will_at <= now) send_will(live);
        if (live.ends_at && *live.ends_at <= now) over.push_back(client_id);
    }
    for (const auto& client_id : over) end_session(client_id);
    keep_late_wills();
    renew_lines();
    if (now < next_statistics_) return;
    next_statistics_ = now + kStatisticsInterval;
    for (const auto& expired : retained_.remove_expired(clock_.now())) forget_retained(store_, *expired);
    publish_statistics();
}

/// A part of them, so that ten thousand are not looked at at once while a message waits. Those with a message rate to
/// be refilled don't like to wait.
void Broker::tick_some_connections() {
    const auto part = options_.message_rate_max > 0 ? connections_.size() : connections_.size() / kTicksOfAll + 1;
    for (auto left = std::min(part, connections_.size()); left > 0; --left) {
        if (next_ticked_ >= connections_.size()) next_ticked_ = 0;
        connections_[next_ticked_++]->tick(now_);
    }
}

void Broker::reconsider() {
    const auto connections = connections_;  // those that close may go at once
    for (auto* connection : connections) connection->reconsider();
}

void Broker::shut_down() {
    const auto connections = connections_;
    for (auto* connection : connections) connection->close(ReasonCode::server_shutting_down, {});
}

// Subscriptions

Broker::Subscribed Broker::subscribe(Session& session, const Identity& identity, const Subscription& subscription,
                                     std::optional<std::uint32_t> identifier) {
    const auto shared = parse_shared(subscription.filter);
    if (!gatekeeper_.may_subscribe(identity, shared ? shared->filter : subscription.filter)) {
        ++counters_.not_authorized;
        tell(Severity::info,
             "client " + session.client_id() + " may not subscribe to " + std::string(subscription.filter));
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
        if (!retained_.put(shared)) {
            ++counters_.not_retained;
            tell(Severity::warning, "a message on " + shared->topic + " is not retained: there are too many");
        } else if (!is_own) {
            ticket = store_.put_retained(shared);
        }
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
    put("clients/refused", std::to_string(counters_.refused));
    put("clients/faults", std::to_string(counters_.faults));
    put("messages/received", std::to_string(counters_.received));
    put("messages/accepted", std::to_string(counters_.accepted));
    put("messages/local only", std::to_string(counters_.local_only));
    put("messages/not authorized", std::to_string(counters_.not_authorized));
    put("messages/sent", std::to_string(counters_.sent));
    put("publish/messages/dropped", std::to_string(counters_.dropped));
}

}  // namespace sluice::bridge::mqtt
