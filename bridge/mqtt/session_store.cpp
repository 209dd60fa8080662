#include "bridge/mqtt/session_store.hpp"

#include "bridge/mqtt/session_database.hpp"

#include <pthread.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <utility>

namespace sluice::bridge::mqtt {

namespace {

constexpr auto kRetryInterval = std::chrono::seconds(1);

struct OutgoingName {
    SubscriberId session;
    std::uint64_t sequence;
    friend bool operator==(const OutgoingName&, const OutgoingName&) = default;
};

struct OutgoingHash {
    std::size_t operator()(const OutgoingName& name) const {
        return std::hash<std::uint64_t>()(name.session * 0x9e3779b97f4a7c15U + name.sequence);
    }
};

/// The changes of one transaction.
struct Batch {
    std::vector<SessionChange> changes;
    // Those that a later change of the same batch may take back, or replace.
    std::unordered_map<OutgoingName, std::size_t, OutgoingHash> outgoing;
    std::unordered_map<std::string, std::size_t> retained;
};

}  // namespace

class SessionStore::Impl {
 public:
    Impl(SessionDatabase database, StoredState state, Report report)
        : database_(std::move(database)), state_(std::move(state)), trouble_(std::move(report), "mqtt sessions") {}
    ~Impl() { stop(); }
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;

    StoredState take_state() { return std::exchange(state_, {}); }

    void start(std::function<void()> on_durable) {
        on_durable_ = std::move(on_durable);
        thread_ = std::thread([this] { run(); });
    }

    void stop() {
        {
            const std::lock_guard lock(mutex_);
            stopping_ = true;
        }
        changed_.notify_one();
        if (thread_.joinable()) thread_.join();
    }

    template <class Note>
    Ticket add(SessionChange change, Note note) {
        Ticket ticket = 0;
        bool first = false;
        {
            const std::lock_guard lock(mutex_);
            first = pending_.changes.empty();
            note(pending_, pending_.changes.size());
            pending_.changes.push_back(std::move(change));
            ticket = pending_ticket_;
        }
        last_ = ticket;
        if (first) changed_.notify_one();
        return ticket;
    }
    Ticket add(SessionChange change) {
        return add(std::move(change), [](Batch&, std::size_t) {});
    }

    void hold(bool held) {
        {
            const std::lock_guard lock(mutex_);
            held_ = held;
            if (held || pending_.changes.empty()) return;
        }
        changed_.notify_one();
    }

    /// @return whether the message was not written yet, and never will be
    bool take_back(const OutgoingName& name) {
        const std::lock_guard lock(mutex_);
        const auto found = pending_.outgoing.find(name);
        if (found == pending_.outgoing.end()) return false;
        pending_.changes[found->second] = std::monostate();
        pending_.outgoing.erase(found);
        return true;
    }
    std::optional<Ticket> replace_retained(const MessagePtr& message) {
        const std::lock_guard lock(mutex_);
        const auto found = pending_.retained.find(message->topic);
        if (found == pending_.retained.end()) return std::nullopt;
        pending_.changes[found->second] = PutRetained{message};
        return pending_ticket_;
    }

    [[nodiscard]] Ticket last() const { return last_; }
    [[nodiscard]] bool is_durable(Ticket ticket) const { return ticket <= durable_; }

 private:
    void run() {
        ::pthread_setname_np(::pthread_self(), "sessions");
        std::unique_lock lock(mutex_);
        for (;;) {
            changed_.wait(lock, [this] { return !held_ && (stopping_ || !pending_.changes.empty()); });
            if (pending_.changes.empty()) return;
            const auto batch = std::exchange(pending_, {});
            const auto ticket = pending_ticket_++;
            lock.unlock();
            const bool written = write(batch.changes);
            if (written) {
                durable_ = ticket;
                on_durable_();
            }
            lock.lock();
            if (!written) return;
        }
    }

    /// Until it is written; false: the agent stops before the disk takes it.
    bool write(const std::vector<SessionChange>& changes) {
        for (;;) {
            const auto done = database_.write(changes);
            const auto now = std::chrono::steady_clock::now();
            if (done) {
                trouble_.over("sessions are kept again", now);
                return true;
            }
            trouble_.trouble(done.error().message() + " (subscribers' messages are not acknowledged until it can)",
                             now);
            std::unique_lock lock(mutex_);
            if (changed_.wait_for(lock, kRetryInterval, [this] { return stopping_; })) return false;
        }
    }

    SessionDatabase database_;
    StoredState state_;
    TroubleReport trouble_;
    std::function<void()> on_durable_;
    std::mutex mutex_;
    std::condition_variable changed_;
    Batch pending_;
    Ticket pending_ticket_ = 1;
    Ticket last_ = 0;  // of the thread that makes the changes
    std::atomic<Ticket> durable_{0};
    bool held_ = false;
    bool stopping_ = false;
    std::thread thread_;
};

SessionStore::SessionStore(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SessionStore::~SessionStore() = default;

storage::Result<std::unique_ptr<SessionStore>> SessionStore::open(const std::string& path, Report report) {
    auto database = SessionDatabase::open(path);
    if (!database) return database.error();
    auto state = database->read();
    if (!state) return state.error();
    auto impl = std::make_unique<Impl>(std::move(*database), std::move(*state), std::move(report));
    return std::unique_ptr<SessionStore>(new SessionStore(std::move(impl)));
}

StoredState SessionStore::take_state() {
    return impl_->take_state();
}

void SessionStore::start(std::function<void()> on_durable) {
    impl_->start(std::move(on_durable));
}

void SessionStore::stop() {
    impl_->stop();
}

SessionStore::Hold::Hold(SessionStore& store) : store_(store) {
    store_.impl_->hold(true);
}

SessionStore::Hold::~Hold() {
    store_.impl_->hold(false);
}

SessionStore::Ticket SessionStore::put_session(StoredSession session) {
    return impl_->add(PutSession{std::move(session)});
}

SessionStore::Ticket SessionStore::remove_session(SubscriberId session) {
    return impl_->add(RemoveSession{session});
}

SessionStore::Ticket SessionStore::put_subscription(SubscriberId session, const std::string& filter,
                                                    const SubscriptionOptions& options) {
    return impl_->add(PutSubscription{session, filter, options});
}

SessionStore::Ticket SessionStore::remove_subscription(SubscriberId session, std::string_view filter) {
    return impl_->add(RemoveSubscription{session, std::string(filter)});
}

SessionStore::Ticket SessionStore::put_outgoing(SubscriberId session, StoredOutgoing outgoing) {
    const OutgoingName name{session, outgoing.sequence};
    return impl_->add(PutOutgoing{session, std::move(outgoing)},
                      [&](Batch& batch, std::size_t index) { batch.outgoing.emplace(name, index); });
}

SessionStore::Ticket SessionStore::release_outgoing(SubscriberId session, std::uint64_t sequence) {
    return impl_->add(ReleaseOutgoing{session, sequence});
}

SessionStore::Ticket SessionStore::remove_outgoing(SubscriberId session, std::uint64_t sequence) {
    return impl_->take_back({session, sequence}) ? 0 : impl_->add(RemoveOutgoing{session, sequence});
}

SessionStore::Ticket SessionStore::put_incoming(SubscriberId session, std::uint16_t packet_id) {
    return impl_->add(PutIncoming{session, packet_id});
}

SessionStore::Ticket SessionStore::remove_incoming(SubscriberId session, std::uint16_t packet_id) {
    return impl_->add(RemoveIncoming{session, packet_id});
}

SessionStore::Ticket SessionStore::put_retained(MessagePtr message) {
    if (const auto replaced = impl_->replace_retained(message)) return *replaced;
    const auto topic = message->topic;
    return impl_->add(PutRetained{std::move(message)},
                      [&](Batch& batch, std::size_t index) { batch.retained.emplace(topic, index); });
}

SessionStore::Ticket SessionStore::last() const {
    return impl_->last();
}

bool SessionStore::is_durable(Ticket ticket) const {
    return impl_->is_durable(ticket);
}

}  // namespace sluice::bridge::mqtt
