#include "bridge/kafka/error_class.hpp"
#include "bridge/kafka/forwarder_impl.hpp"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <thread>
#include <utility>

namespace sluice::bridge::kafka {

namespace {

using namespace std::chrono_literals;

constexpr auto kIdleWait = 1'000ms;          // at most this long asleep: checks of held streams, the cursors
constexpr auto kAnswerPatience = 15s;        // longer than a full batch takes on a slow link
constexpr auto kGiveBackPatience = 3'000ms;  // for answers that are on their way when a producer is given up

}  // namespace

void Forwarder::Impl::run() {
    while (!stopping_ && !fenced_) {
        last_turn_ = SteadyClock::now();
        const bool open = look_at_uplink();
        look_after_lanes();
        bool progress = open && !spent_ && step();
        if (transactions_ && (open || !transactions_->at_rest()) && take_turn()) progress = true;
        producer_->poll(progress ? 0ms : idle_wait(), events_);
        in_flight_bytes_ = in_flight_bytes();
        serve_set_asides();
        look_for_silence();
        cluster_.tick(SteadyClock::now());
        watch_backlog();
        if (open) remind();
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

/// Lets each stream send a share, the one whose turn it is first.
bool Forwarder::Impl::step() {
    if (set_asides_.full()) return false;
    bool progress = false;
    for (const auto index : std::vector(share_.order())) {
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
        }
        room = paced(room);
        if (transactions_ || pacer_) {
            if (room == 0) continue;
        }
        const auto records = stream.window().in_flight();
        if (stream.send_some(*producer_, room, used == 0, now)) progress = true;
        const auto bytes = in_flight_bytes() - used;
        if (bytes > 0) share_.sent(index, bytes);
        if (pacer_) pacer_->sent(bytes, SteadyClock::now());
        if (transactions_) {
            transactions_->sent(stream.window().in_flight() - records, bytes, SteadyClock::now());
        }
    }
    return progress;
}

std::chrono::milliseconds Forwarder::Impl::idle_wait() const {
    const auto now = SteadyClock::now();
    auto until = std::min({now + kIdleWait, next_store_, next_sample_});
    if (transactions_) until = std::min(until, transactions_->next_turn(now));
    if (pacer_) {
        if (const auto next = pacer_->next_at(now); next > now) until = std::min(until, next);
    }
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
        delivered_ = true;
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
    if (pacer_) pacer_->replaced();
    wire_bytes_ += std::exchange(wire_bytes_now_, 0);
    newest_first_due_ = true;
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

}  // namespace sluice::bridge::kafka
