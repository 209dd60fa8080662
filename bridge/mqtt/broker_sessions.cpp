// The sessions of a server: how they begin, end and outlive a restart, and their wills.
#include "bridge/mqtt/broker.hpp"

#include <algorithm>
#include <utility>

namespace sluice::bridge::mqtt {

namespace {

constexpr std::size_t kLateWillsMax = 1000;

}  // namespace

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
    LateWill late{live.session->source(), *will};
    late.message.arrived = clock_.now();
    // In their order, where others wait.
    if (!is_local_only(will->topic) && (!late_wills_.empty() || !keep_will(late))) {
        if (late_wills_.size() < kLateWillsMax) {
            late_wills_.push_back(late);
        } else {
            ++counters_.wills_lost;
            tell(Severity::warning,
                 "the will of client " + live.session->client_id() + " is not kept: the log has no room");
        }
    }
    publish(std::move(late.message), nullptr);
}

/// @return false: the log has no room
bool Broker::keep_will(const LateWill& will) {
    auto ack = std::make_unique<PendingAck>();
    const auto taken = acceptor_.try_accept(will.source, will.message, std::nullopt, mailbox_.completion(*ack));
    if (taken == Acceptor::Taken::full) return false;
    static_cast<void>(ack.release());  // the mailbox brings it
    return true;
}

void Broker::keep_late_wills() {
    while (!late_wills_.empty() && keep_will(late_wills_.front())) late_wills_.pop_front();
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

}  // namespace sluice::bridge::mqtt
