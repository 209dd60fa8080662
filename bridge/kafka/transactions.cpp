#include "bridge/kafka/transactions.hpp"

#include "bridge/kafka/error_class.hpp"
#include "bridge/kafka/kafka_config.hpp"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <utility>

namespace sluice::bridge::kafka {

namespace {

using namespace std::chrono_literals;
using Result = Step::Result;

constexpr auto kSlice = 500ms;      // of waiting for the cluster
constexpr auto kShortSlice = 20ms;  // while delivery reports are to be served
constexpr auto kHurryFor = 200ms;   // how long a close is pushed before it is only waited for
constexpr auto kRetryAfter = 1'000ms;

}  // namespace

Transactions::Transactions(const ClusterOptions& options, Streams& streams, AllLanes& lanes, Report report, Claim claim,
                           std::function<bool()> on_placed)
    : options_(options),
      streams_(streams),
      lanes_(lanes),
      report_(std::move(report)),
      claim_(std::move(claim)),
      on_placed_(std::move(on_placed)),
      size_(options.transaction, transaction_timeout(options)) {}

void Transactions::replaced(bool fenced) {
    phase_ = fenced ? Phase::reading_claim : Phase::initializing;
    placed_ = false;
    spoilt_ = false;
    cause_.reset();
    positions_in_flight_ = 0;
    size_.aborted();
}

Transactions::Outcome Transactions::turn(TransactionalProducer& producer, TimePoint now,
                                         const std::atomic<bool>& stopping) {
    if (now < retry_at_) return Outcome::going_on;
    if (spoilt_ && phase_ != Phase::aborting) {
        cause_ = producer.trouble();
        phase_ = Phase::aborting;
    }
    switch (phase_) {
        case Phase::reading_claim:
            return read_claim(stopping);
        case Phase::initializing:
            return initialize(producer);
        case Phase::reading_positions:
            return place_streams(producer, stopping);
        case Phase::idle:
            if (!placed_ && !(placed_ = on_placed_())) {
                retry_at_ = now + kRetryAfter;
                return Outcome::going_on;
            }
            if (alone_ && !streams_[*alone_]->has_more()) next_alone();
            [[fallthrough]];
        case Phase::open:
            return due(now) ? close(producer, now) : Outcome::going_on;
        case Phase::draining:
            return drain(producer, now);
        case Phase::committing:
            return commit(producer);
        case Phase::aborting:
            return abort(producer, now);
    }
    return Outcome::going_on;
}

Transactions::Outcome Transactions::in_trouble(std::string text) {
    retry_at_ = std::chrono::steady_clock::now() + kRetryAfter;
    trouble_ = std::move(text);
    return Outcome::trouble;
}

/// Two agents with one id would fence each other for ever. The one that finds the other's claim gives way.
Transactions::Outcome Transactions::read_claim(const std::atomic<bool>& stopping) {
    const auto found = read_positions(options_, transaction_timeout(options_) * 2, stopping);
    if (!found) return in_trouble(found.error().message());
    if (found->claim && found->claim->instance != claim_.instance) {
        trouble_ = "another agent with the id " + options_.agent_id + " has taken over, on host " + found->claim->host +
                   " (give each agent an id of its own, and stop the one that is not wanted)";
        return Outcome::fenced;
    }
    phase_ = Phase::initializing;  // only the coordinator, which aborts what takes longer than transaction.timeout.ms
    return Outcome::progress;
}

Transactions::Outcome Transactions::initialize(TransactionalProducer& producer) {
    const auto step = producer.initialize(kSlice);
    if (step.result == Result::again) {
        return step.code == RD_KAFKA_RESP_ERR__TIMED_OUT ? Outcome::going_on : in_trouble(step.text);
    }
    if (step.result != Result::done) {
        const bool passes = classify(step.code) == ErrorClass::producer;
        trouble_ = passes ? std::string() : explain(step.code, options_.position_topic);
        return Outcome::spent;
    }
    phase_ = Phase::reading_positions;
    return Outcome::progress;
}

Transactions::Outcome Transactions::place_streams(TransactionalProducer& producer, const std::atomic<bool>& stopping) {
    const auto topic = ensure_position_topic(producer, options_, stopping);
    if (topic.state == TopicState::unreachable) return Outcome::unreachable;
    if (topic.state == TopicState::missing) return in_trouble(topic.trouble);
    const auto found = read_positions(options_, transaction_timeout(options_) * 2, stopping);
    if (!found) return in_trouble(found.error().message());
    for (auto& stream : lanes_) {
        if (!place(*stream, *found, producer)) return Outcome::spent;
    }
    if (!send(producer, options_.agent_id, claim_value(claim_))) return Outcome::spent;
    size_.opened(std::chrono::steady_clock::now());
    phase_ = Phase::draining;
    return Outcome::progress;
}

bool Transactions::place(StreamLanes& stream, const Positions& found, TransactionalProducer& producer) {
    const auto key = position_key(options_.agent_id, stream.target().stream, stream.log().id());
    const auto stored = found.of.find(key);
    const auto end = stream.first().end_at_start().value_or(stream.log().log_end_offset());
    if (stored == found.of.end() || stored->second.end() <= end) {
        stream.restart_at(stored == found.of.end() ? stream.finished() : unite(stored->second, stream.finished()));
        return true;
    }
    report_(Severity::warning, "stream " + stream.target().stream,
            "the log ended before what was forwarded when the agent started (power lost with durability \"flush\", or "
            "damage at its end)");
    auto there = stored->second;
    there.clip(end);
    stream.restart_at(there);
    return send(producer, key, position_value(there));
}

bool Transactions::send(TransactionalProducer& producer, const std::string& key, const std::string& value) {
    storage::RecordView record;
    record.key = key;
    record.value = value;
    record.timestamp = std::chrono::time_point_cast<storage::Timestamp::duration>(std::chrono::system_clock::now());
    const auto sent = producer.send(options_.position_topic, record, nullptr);
    if (sent != Sent::queued) return false;
    ++positions_in_flight_;
    return true;
}

void Transactions::position_delivered(int error) {
    if (positions_in_flight_ > 0) --positions_in_flight_;
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) spoilt_ = true;
}

std::size_t Transactions::room(std::size_t index) const {
    if (finishing_ || held_ || spoilt_ || !placed_ || (phase_ != Phase::idle && phase_ != Phase::open)) return 0;
    if (alone_ && *alone_ != index) return 0;
    return phase_ == Phase::idle ? TransactionSize::kLeastBytes : size_.room();
}

void Transactions::sent(std::size_t records, std::size_t bytes, TimePoint now) {
    if (records == 0) return;
    if (std::exchange(phase_, Phase::open) == Phase::idle) size_.opened(now);
    size_.sent(records, bytes);
}

bool Transactions::any_in_flight() const {
    return positions_in_flight_ > 0 || std::any_of(streams_.begin(), streams_.end(),
                                                   [](const auto& stream) { return stream->window().in_flight() > 0; });
}

bool Transactions::due(TimePoint now) const {
    const auto moved = [](const auto& stream) { return stream->position() != stream->finished(); };
    if (std::any_of(streams_.begin(), streams_.end(), [](const auto& s) { return s->waits_for_dead_letters(); })) {
        return false;
    }
    if (phase_ == Phase::idle) {  // nothing was sent, and yet: gaps, or dead letters
        return !held_ && std::any_of(streams_.begin(), streams_.end(), moved);
    }
    if (held_) return true;
    const bool narrow =
        std::any_of(streams_.begin(), streams_.end(), [](const auto& s) { return s->window().narrow(); });
    if (finishing_ || alone_) return true;
    if (narrow && !any_in_flight()) return true;
    return size_.due(now, has_more());
}

bool Transactions::has_more() const {
    return std::any_of(streams_.begin(), streams_.end(), [](const auto& stream) { return stream->has_more(); });
}

Transactions::TimePoint Transactions::next_turn(TimePoint now) const {
    switch (phase_) {
        case Phase::idle:
            return placed_ ? now + 1h : std::max(now, retry_at_);
        case Phase::open:
            return size_.due_at(has_more());
        case Phase::draining:
            return now + kSlice;
        default:
            return std::max(now, retry_at_);
    }
}

Transactions::Outcome Transactions::close(TransactionalProducer& producer, TimePoint now) {
    if (phase_ == Phase::idle) size_.opened(now);
    size_.closing(now);
    phase_ = Phase::draining;
    for (const auto& stream : lanes_) {
        if (stream->position() == stream->finished()) continue;
        const auto key = position_key(options_.agent_id, stream->target().stream, stream->log().id());
        if (send(producer, key, position_value(stream->position()))) continue;
        spoilt_ = true;
        return Outcome::progress;
    }
    return Outcome::progress;
}

Transactions::Outcome Transactions::drain(TransactionalProducer& producer, TimePoint now) {
    if (any_in_flight()) {
        if (now - size_.closing_at() > kHurryFor) return Outcome::going_on;
        producer.hurry();
        return Outcome::progress;
    }
    if (before_commit_) before_commit_();
    phase_ = Phase::committing;
    return Outcome::progress;
}

Transactions::Outcome Transactions::commit(TransactionalProducer& producer) {
    const auto step = producer.commit(kSlice);
    switch (step.result) {
        case Result::done:
            break;
        case Result::again:
            return Outcome::going_on;
        case Result::abortable:
            spoilt_ = true;
            return Outcome::progress;
        default:
            return Outcome::spent;
    }
    for (auto& stream : streams_) stream->committed();
    ++committed_count_;
    trouble_.clear();
    size_.committed(std::chrono::steady_clock::now());
    phase_ = Phase::idle;
    if (alone_) next_alone();
    return Outcome::progress;
}

Transactions::Outcome Transactions::abort(TransactionalProducer& producer, TimePoint now) {
    if (producer.in_transaction()) {
        const auto step = producer.abort(any_in_flight() ? kShortSlice : kSlice);
        if (step.result == Result::again) return any_in_flight() ? Outcome::progress : Outcome::going_on;
        if (step.result != Result::done) return Outcome::spent;
    }
    if (any_in_flight()) return Outcome::progress;  // their reports are about to be served
    report_(Severity::debug, "kafka",
            "a transaction was aborted and is sent again" + (cause_ ? ": " + cause_->text : std::string()));
    find_refused_stream(now);
    for (auto& stream : streams_) stream->aborted();
    ++aborted_count_;
    size_.aborted();
    spoilt_ = false;
    cause_.reset();
    phase_ = Phase::idle;
    return Outcome::progress;
}

/// Where the cluster refuses to take a topic into the transaction, no delivery report says which. So each stream goes
/// alone for a turn, and the one that is refused alone is held.
void Transactions::find_refused_stream(TimePoint now) {
    const bool refused = cause_ && cause_->result == Result::abortable && classify(cause_->code) == ErrorClass::topic;
    const bool known = std::any_of(streams_.begin(), streams_.end(),
                                   [&](const auto& stream) { return stream->retry_at() && stream->window().failed(); });
    if (!refused || known) return;
    if (!alone_ && streams_.size() > 1) {
        alone_ = 0;
        return;
    }
    auto& stream = *streams_[alone_.value_or(0)];
    stream.hold(explain(cause_->code, stream.target().topic), now);
    if (alone_) next_alone();
}

void Transactions::next_alone() {
    const auto may_go = [](const auto& stream) { return stream->has_more(); };
    const auto next = std::find_if(streams_.begin() + static_cast<std::ptrdiff_t>(*alone_) + 1, streams_.end(), may_go);
    if (next == streams_.end()) {
        alone_.reset();
    } else {
        alone_ = static_cast<std::size_t>(next - streams_.begin());
    }
}

}  // namespace sluice::bridge::kafka
