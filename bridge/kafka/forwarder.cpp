#include "bridge/kafka/forwarder.hpp"

#include "bridge/kafka/cluster_state.hpp"
#include "bridge/kafka/end_at_start.hpp"
#include "bridge/kafka/error_class.hpp"
#include "bridge/kafka/forward_stream.hpp"
#include "bridge/kafka/set_asides.hpp"
#include "bridge/kafka/transactions.hpp"

#include <librdkafka/rdkafka.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>
#include <random>
#include <thread>
#include <utility>

namespace sluice::bridge::kafka {

namespace {

using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;

constexpr auto kIdleWait = 1'000ms;          // at most this long asleep: checks of held streams, the cursors
constexpr auto kAnswerPatience = 15s;        // longer than a full batch takes on a slow link
constexpr auto kGiveBackPatience = 3'000ms;  // for answers that are on their way when a producer is given up

Claim this_process() {
    std::array<char, 256> host{};
    if (::gethostname(host.data(), host.size() - 1) != 0) host = {"unknown"};
    return {storage::LogId::random().to_string(), host.data()};
}

}  // namespace

class Forwarder::Impl {
 public:
    Impl(ClusterOptions options, Parts parts)
        : options_(std::move(options)),
          parts_(std::move(parts)),
          cluster_(parts_.report, options_.brokers, options_.reminder),
          catalog_trouble_(parts_.report, "kafka"),
          proof_trouble_(parts_.report, "kafka"),
          rebuild_backoff_(options_.retry_min, options_.retry_max, std::random_device()()),
          set_asides_(parts_.logs, parts_.commit, parts_.dead_letter_stream, parts_.report, [this] { wake(); }) {
        events_.on_delivery = [this](void* tag, int error, storage::KafkaPlace place) {
            on_delivery(tag, error, place);
        };
        events_.on_trouble = [this](int error, const std::string& message) {
            cluster_.on_event(error, message, SteadyClock::now());
        };
        if (options_.delivery == Delivery::exactly_once) {
            transactions_.emplace(options_, streams_, parts_.report, this_process(),
                                  [this] { return forget_ends_at_start(); });
            transactions_->before_commit([this] { write_proofs(); });
        }
    }

    /// A new producer of the kind that the delivery needs takes the place of the one before.
    [[nodiscard]] storage::Result<void> make_producer();

    [[nodiscard]] storage::Result<void> add(StreamTarget target);
    void run();
    void stop(SteadyClock::time_point deadline);
    [[nodiscard]] ForwarderStatus status() const;
    void renew() {
        renewal_asked_ = true;
        wake();
    }
    void launch() {
        thread_ = std::thread([this] { run(); });
    }

 private:
    [[nodiscard]] bool step();
    [[nodiscard]] bool take_turn();
    [[nodiscard]] bool forget_ends_at_start();
    void finish_transaction();
    [[nodiscard]] std::size_t in_flight_bytes();
    [[nodiscard]] bool anything_in_flight();
    [[nodiscard]] std::chrono::milliseconds idle_wait() const;
    void serve_set_asides();
    void on_delivery(void* tag, int error, storage::KafkaPlace place);
    void begin_renewal();
    void write_proofs();
    void remind();
    void look_for_silence();
    void rebuild(const std::string& why);
    void collect_answers(SteadyClock::time_point deadline);
    void store_cursors();
    void wake();

    const ClusterOptions options_;
    const Parts parts_;
    std::mutex producer_mutex_;  // guards the pointer against wake() from other threads
    std::unique_ptr<Producer> producer_;
    TransactionalProducer* transactional_ = nullptr;  // the same, with exactly-once
    ProducerEvents events_;
    std::vector<std::unique_ptr<ForwardStream>> streams_;
    std::optional<Transactions> transactions_;  // with exactly-once
    bool fenced_ = false;
    std::vector<storage::Offset> stored_;  // the cursor of each stream as the catalog has it
    SteadyClock::time_point next_store_{};
    std::size_t first_in_turn_ = 0;
    int rebuilds_ = 0;    // since something was delivered
    bool spent_ = false;  // the producer has given back what was queued: it only waits for what is in flight
    std::optional<SteadyClock::time_point> renew_at_;  // whatever is in flight then
    bool refused_ = false;  // Kafka has refused a record since the producer was made: what turns it fatal is known
    ClusterState cluster_;
    TroubleReport catalog_trouble_;
    TroubleReport proof_trouble_;
    Backoff rebuild_backoff_;
    std::atomic<std::size_t> in_flight_bytes_{0};
    std::atomic<bool> renewal_asked_{false};
    std::atomic<std::uint64_t> producers_rebuilt_{0};
    std::atomic<SteadyClock::time_point> last_turn_{SteadyClock::now()};
    std::atomic<bool> stopping_{false};
    std::atomic<SteadyClock::time_point> stop_deadline_{SteadyClock::time_point::max()};
    SetAsides set_asides_;
    std::vector<std::shared_ptr<void>> subscriptions_;
    std::thread thread_;
};

storage::Result<void> Forwarder::Impl::add(StreamTarget target) {
    auto* log = parts_.logs.find(target.stream);
    if (log == nullptr) return storage::Error(storage::Errc::not_found, "no stream " + target.stream);
    const auto stored = parts_.catalog.cursor(kForwardReader, target.stream, log->id());
    if (!stored) return stored.error();
    auto cursor = std::max(stored->value_or(storage::Offset(0)), log->log_start_offset());
    if (cursor > log->log_end_offset()) {
        parts_.report(Severity::warning, "stream " + target.stream,
                      "the log ends before what was forwarded (power lost with durability \"flush\", or damage at its "
                      "end)");
        cursor = log->log_end_offset();
        // At once: the offsets up to the old cursor are about to be given to other records.
        auto done = parts_.catalog.store_cursors({{std::string(kForwardReader), target.stream, log->id(), cursor}});
        if (!done) return done;
        log->set_finished(cursor);
    }
    const auto index = static_cast<std::uint32_t>(streams_.size());
    streams_.push_back(std::make_unique<ForwardStream>(std::move(target), *log, cursor, index, options_, parts_.report,
                                                       [this, index, log](storage::Offset offset, std::string why) {
                                                           set_asides_.add(index, *log, offset, std::move(why),
                                                                           SteadyClock::now());
                                                       }));
    if (transactions_) {
        const auto end = note_end_at_start(parts_.catalog, *log);
        if (!end) return end.error();
        streams_.back()->set_end_at_start(*end);
    }
    if (parts_.proofs != nullptr) {
        const auto& to = streams_.back()->target();
        const auto number = parts_.proofs->add_stream({to.stream, log->id(), to.topic, std::string(kForwardReader)},
                                                      log->log_end_offset());
        streams_.back()->prove_in(*parts_.proofs, number);
    }
    stored_.push_back(cursor);
    subscriptions_.push_back(log->subscribe([this] { wake(); }));
    return {};
}

void Forwarder::Impl::run() {
    while (!stopping_ && !fenced_) {
        last_turn_ = SteadyClock::now();
        bool progress = !spent_ && step();
        if (transactions_ && take_turn()) progress = true;
        producer_->poll(progress ? 0ms : idle_wait(), events_);
        in_flight_bytes_ = in_flight_bytes();
        serve_set_asides();
        look_for_silence();
        cluster_.tick(SteadyClock::now());
        remind();
        if (const auto why = producer_->fatal()) rebuild(*why);
        if (spent_ && !anything_in_flight())
            rebuild(renew_at_ ? "its files have changed" : "no answer for a long time");
        if (renewal_asked_.exchange(false)) begin_renewal();
        if (renew_at_ && SteadyClock::now() >= *renew_at_) rebuild("its files have changed");
        if (SteadyClock::now() >= next_store_) store_cursors();
        if (parts_.proofs != nullptr && parts_.proofs->is_due()) write_proofs();
    }
    if (transactions_ && !fenced_) finish_transaction();
    collect_answers(stop_deadline_);
    serve_set_asides();
    store_cursors();
}

storage::Result<void> Forwarder::Impl::make_producer() {
    if (!transactions_) {
        auto fresh = make_idempotent_producer(options_, parts_.report);
        if (!fresh) return fresh.error();
        const std::lock_guard lock(producer_mutex_);
        producer_ = std::move(*fresh);
        return {};
    }
    auto fresh = make_transactional_producer(options_, parts_.report);
    if (!fresh) return fresh.error();
    const std::lock_guard lock(producer_mutex_);
    transactional_ = fresh->get();
    producer_ = std::move(*fresh);
    return {};
}

bool Forwarder::Impl::forget_ends_at_start() {
    for (auto& stream : streams_) {
        if (!stream->end_at_start()) continue;
        if (auto done = forget_end_at_start(parts_.catalog, stream->log()); !done) {
            catalog_trouble_.trouble(done.error().message() + " (nothing is sent until the catalog can be written)",
                                     SteadyClock::now());
            return false;
        }
        stream->set_end_at_start(std::nullopt);
    }
    return true;
}

/// What is due of the transaction. @return whether there is more to do at once
bool Forwarder::Impl::take_turn() {
    const auto now = SteadyClock::now();
    switch (transactions_->turn(*transactional_, now, stopping_)) {
        case Transactions::Outcome::going_on:
            return false;
        case Transactions::Outcome::progress:
            return true;
        case Transactions::Outcome::unreachable:
            cluster_.unreachable(SteadyClock::now());
            return false;
        case Transactions::Outcome::trouble:
            cluster_.trouble(transactions_->trouble(), SteadyClock::now());
            return false;
        case Transactions::Outcome::spent:
            if (!transactions_->trouble().empty()) {
                cluster_.trouble(transactions_->trouble(), SteadyClock::now());
            }
            if (!stopping_) rebuild(producer_->fatal().value_or(transactions_->trouble()));
            return true;
        case Transactions::Outcome::fenced:
            fenced_ = true;
            cluster_.unreachable(SteadyClock::now());
            parts_.report(Severity::error, "kafka", transactions_->trouble());
            if (parts_.on_fenced) parts_.on_fenced(transactions_->trouble());
            return false;
    }
    return false;
}

/// What was sent is committed, where the cluster answers in time; if not, the next start finds out and sends it again.
void Forwarder::Impl::finish_transaction() {
    transactions_->finish();
    while (!transactions_->at_rest() && SteadyClock::now() < stop_deadline_.load()) {
        const auto outcome = transactions_->turn(*transactional_, SteadyClock::now(), stopping_);
        if (outcome == Transactions::Outcome::spent || outcome == Transactions::Outcome::fenced) return;
        producer_->poll(outcome == Transactions::Outcome::progress ? 0ms : 20ms, events_);
        serve_set_asides();
    }
}

/// Lets each stream send a share, a different one first each time.
bool Forwarder::Impl::step() {
    if (set_asides_.full()) return false;
    bool progress = false;
    const auto count = streams_.size();
    for (std::size_t i = 0; i < count; ++i) {
        const auto index = (first_in_turn_ + i) % count;
        auto& stream = *streams_[index];
        const auto now = SteadyClock::now();
        const auto state = stream.check(*producer_, now, stopping_);
        if (stopping_) return false;
        if (state == TopicState::unreachable) {
            cluster_.unreachable(SteadyClock::now());
        } else if (state) {
            cluster_.answers(SteadyClock::now());
        }
        stream.settle_doubt(stopping_);
        if (stopping_) return false;
        const auto used = in_flight_bytes();
        auto room = options_.inflight_bytes > used ? options_.inflight_bytes - used : 0;
        if (transactions_) {
            room = std::min(room, transactions_->room(index));
            if (room == 0) continue;
        }
        const auto records = stream.window().in_flight();
        if (stream.send_some(*producer_, room, used == 0, now)) progress = true;
        if (transactions_) {
            transactions_->sent(stream.window().in_flight() - records, in_flight_bytes() - used, SteadyClock::now());
        }
    }
    if (count > 0) first_in_turn_ = (first_in_turn_ + 1) % count;
    return progress;
}

std::chrono::milliseconds Forwarder::Impl::idle_wait() const {
    const auto now = SteadyClock::now();
    auto until = std::min(now + kIdleWait, next_store_);
    if (transactions_) until = std::min(until, transactions_->next_turn(now));
    for (const auto& stream : streams_) {
        // One that is due already waits for records or for answers, and both wake us.
        if (const auto retry = stream->retry_at(); retry && *retry > now) until = std::min(until, *retry);
    }
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(until - now);
    return std::clamp<std::chrono::milliseconds>(wait, 1ms, kIdleWait);
}

std::size_t Forwarder::Impl::in_flight_bytes() {
    std::size_t bytes = 0;
    for (const auto& stream : streams_) bytes += stream->window().in_flight_bytes();
    return bytes;
}

bool Forwarder::Impl::anything_in_flight() {
    return std::any_of(streams_.begin(), streams_.end(), [](auto& stream) { return stream->window().in_flight() > 0; });
}

void Forwarder::Impl::on_delivery(void* tag, int error, storage::KafkaPlace place) {
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
        if (!cluster_.is_connected()) cluster_.answers(SteadyClock::now());
        rebuilds_ = 0;
        rebuild_backoff_.reset();
    } else if (transactions_) {
        transactions_->failed();
    }
    if (tag == nullptr) return transactions_->position_delivered(error);
    auto& entry = *static_cast<StreamWindow::Entry*>(tag);
    if (classify(error) == ErrorClass::record) refused_ = true;
    streams_[entry.stream]->delivered(entry, error, place, SteadyClock::now());
}

/// What the death of the process must not take: before the cursors say that all of this is done.
void Forwarder::Impl::write_proofs() {
    if (parts_.proofs == nullptr) return;
    for (std::size_t i = 0; i < streams_.size(); ++i) {
        parts_.proofs->set_state(i, streams_[i]->status().held.value_or(std::string()));
    }
    parts_.proofs->set_state(std::nullopt, cluster_.in_the_way());
    if (auto done = parts_.proofs->flush(); !done) {
        proof_trouble_.trouble("proofs of delivery: " + done.error().message(), SteadyClock::now());
    } else {
        proof_trouble_.over("proofs of delivery are written again", SteadyClock::now());
    }
}

/// Says a trouble again that lasts. Where there is nothing to send, nothing else shows that it is over.
void Forwarder::Impl::remind() {
    const auto now = SteadyClock::now();
    if (!cluster_.is_reminder_due(now)) return;
    const bool well = !transactions_ || transactions_->trouble().empty();
    if (cluster_.is_connected() || (well && !anything_in_flight() && is_answering(*producer_))) {
        return cluster_.answers(now);
    }
    cluster_.remind(now);
}

void Forwarder::Impl::serve_set_asides() {
    for (const auto& [stream, offset] : set_asides_.serve(SteadyClock::now())) {
        streams_[stream]->finish_set_aside(offset);
    }
}

/// A cluster that is connected and doesn't answer: it hangs, or the link eats packets, or it refuses in a way that
/// librdkafka retries without a word. What is queued is taken back, for librdkafka 2.0 busy-waits while a partition has
/// one request in flight and records behind it.
void Forwarder::Impl::look_for_silence() {
    if (spent_ || !cluster_.is_connected()) return;
    const auto now = SteadyClock::now();
    for (auto& stream : streams_) {
        const auto since = stream->waiting_since();
        if (!since || now - *since < kAnswerPatience) continue;
        const auto& topic = stream->target().topic;
        const auto found = explain_silence(*producer_, topic, stopping_);
        if (stopping_) return;
        producer_->give_back(false);
        spent_ = !transactions_;  // a transaction is aborted for it, and the producer lives on
        if (found.state == TopicState::missing) stream->hold(found.trouble, SteadyClock::now());
        if (found.state != TopicState::unreachable) continue;
        cluster_.trouble("the cluster doesn't answer (" + found.trouble + "); records are kept until it does",
                         SteadyClock::now());
        return;
    }
}

/// A transaction is aborted by the producer that comes next, and sent again. Without one, what is on its way is waited
/// for, so that it isn't sent twice.
void Forwarder::Impl::begin_renewal() {
    rebuilds_ = 0;  // nothing has failed: no pause is due
    rebuild_backoff_.reset();
    if (transactions_) return rebuild("its files have changed");
    spent_ = true;
    producer_->give_back(false);
    renew_at_ = SteadyClock::now() + kAnswerPatience;
}

/// A fatal producer is a normal thing after a refused record or a bad link: make a new one, and go on from the cursors.
void Forwarder::Impl::rebuild(const std::string& why) {
    parts_.report(Severity::debug, "kafka", "a new producer is made: " + why);
    producer_->give_back(false);
    collect_answers(std::min(SteadyClock::now() + kGiveBackPatience, stop_deadline_.load()));
    // After an outage a fatal producer is expected: the first one is replaced at once.
    const bool renewal = std::exchange(renew_at_, std::nullopt).has_value();
    const bool at_once = std::exchange(refused_, false) || renewal || (transactions_ && rebuilds_++ == 0);
    const auto pause = at_once ? 0ms : rebuild_backoff_.next();
    for (auto until = SteadyClock::now() + pause; SteadyClock::now() < until && !stopping_;) {
        std::this_thread::sleep_for(10ms);
        last_turn_ = SteadyClock::now();
    }
    const bool fenced = transactions_ && transactional_->fenced();
    auto made = make_producer();
    while (!made && !stopping_) {
        cluster_.trouble(made.error().message(), SteadyClock::now());
        std::this_thread::sleep_for(1s);
        last_turn_ = SteadyClock::now();
        made = make_producer();
    }
    if (!made) return;
    ++producers_rebuilt_;
    spent_ = false;
    for (auto& stream : streams_) stream->doubt();
    if (transactions_) transactions_->replaced(fenced);
}

/// Waits until what is in flight is answered; at the deadline the rest is given back. Nothing is in flight then.
void Forwarder::Impl::collect_answers(SteadyClock::time_point deadline) {
    while (anything_in_flight() && SteadyClock::now() < std::min(deadline, stop_deadline_.load())) {
        producer_->poll(50ms, events_);
    }
    if (anything_in_flight()) {
        producer_->give_back(true);
        const auto patience = SteadyClock::now() + 1s;
        while (anything_in_flight() && SteadyClock::now() < patience) producer_->poll(50ms, events_);
    }
    for (auto& stream : streams_) stream->window().give_up_in_flight();
}

void Forwarder::Impl::store_cursors() {
    next_store_ = SteadyClock::now() + options_.cursor_interval;
    write_proofs();
    std::vector<storage::Cursor> moved;
    std::vector<std::size_t> which;
    for (std::size_t i = 0; i < streams_.size(); ++i) {
        const auto cursor = streams_[i]->finished();
        if (cursor == stored_[i]) continue;
        moved.push_back({std::string(kForwardReader), streams_[i]->target().stream, streams_[i]->log().id(), cursor});
        which.push_back(i);
    }
    if (moved.empty()) return;
    if (auto done = parts_.catalog.store_cursors(moved); !done) {
        catalog_trouble_.trouble(done.error().message() + " (after a crash, records are sent again)",
                                 SteadyClock::now());
        return;
    }
    catalog_trouble_.over("the cursors can be stored again", SteadyClock::now());
    for (std::size_t i = 0; i < moved.size(); ++i) {
        stored_[which[i]] = moved[i].offset;
        if (parts_.on_cursor) parts_.on_cursor(moved[i].stream, moved[i].offset);
    }
}

void Forwarder::Impl::wake() {
    const std::lock_guard lock(producer_mutex_);
    producer_->wake();
}

void Forwarder::Impl::stop(SteadyClock::time_point deadline) {
    if (!thread_.joinable()) return;
    stop_deadline_ = deadline;
    stopping_ = true;
    wake();
    thread_.join();
    subscriptions_.clear();
}

ForwarderStatus Forwarder::Impl::status() const {
    ForwarderStatus status;
    status.connected = cluster_.is_connected();
    status.link = cluster_.link();
    status.producers_rebuilt = producers_rebuilt_;
    status.last_turn = last_turn_;
    if (transactions_) {
        status.transactions_committed = transactions_->committed_count();
        status.transactions_aborted = transactions_->aborted_count();
    }
    status.in_flight_bytes = in_flight_bytes_;
    for (const auto& stream : streams_) status.streams.push_back(stream->status());
    return status;
}

Forwarder::Forwarder(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Forwarder::~Forwarder() {
    stop(SteadyClock::now());
}

storage::Result<std::unique_ptr<Forwarder>> Forwarder::start(ClusterOptions options, std::vector<StreamTarget> targets,
                                                             Parts parts) {
    auto impl = std::make_unique<Impl>(std::move(options), std::move(parts));
    if (auto done = impl->make_producer(); !done) return done.error();
    for (auto& target : targets) {
        if (auto done = impl->add(std::move(target)); !done) return done.error();
    }
    impl->launch();
    return std::unique_ptr<Forwarder>(new Forwarder(std::move(impl)));
}

void Forwarder::stop(SteadyClock::time_point deadline) {
    impl_->stop(deadline);
}

void Forwarder::renew() {
    impl_->renew();
}

ForwarderStatus Forwarder::status() const {
    return impl_->status();
}

}  // namespace sluice::bridge::kafka
