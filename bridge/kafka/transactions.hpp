// transactions.hpp: exactly-once: the records of all streams and how far each has come, in one transaction.
//
// A producer begins by fencing its predecessor, which ends what that left open; reads the positions of what was
// committed (position.hpp); places the streams there; and claims the agent's id in a first transaction. After that:
//   idle ─ a record is sent ▶ open ─ due ▶ draining ─ all acknowledged ▶ committing ─▶ idle, cursors move
//             anything fails: aborting ─▶ idle, and everything since the last commit is sent again
// A fatal producer is replaced, and the positions say what became of its last transaction. So no step needs to know
// whether the one before it has arrived.
//
// Invariants
//   - a position is sent only inside the transaction of the records before it.
//   - a stream's committed offset never goes back while the process lives.
// Source: KIP-98, KIP-618. Used by the forward thread alone; turn() blocks for some 500 ms at most.
#pragma once

#include "bridge/kafka/forward_stream.hpp"
#include "bridge/kafka/position.hpp"
#include "bridge/kafka/stream_lanes.hpp"
#include "bridge/kafka/transaction_size.hpp"
#include "bridge/kafka/transactional_producer.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace sluice::bridge::kafka {

class Transactions {
 public:
    using TimePoint = std::chrono::steady_clock::time_point;
    using Streams = std::vector<std::unique_ptr<ForwardStream>>;
    using AllLanes = std::vector<std::unique_ptr<StreamLanes>>;

    enum class Outcome : std::uint8_t {
        going_on,
        progress,     ///< the same, and there is more to do at once
        unreachable,  ///< the cluster doesn't answer
        trouble,      ///< somebody has to mend something: trouble()
        spent,        ///< a new producer is needed: replaced(); trouble() may say why
        fenced,       ///< another process has taken the agent's id: trouble(); it must not be fenced in turn
    };

    /// @param streams    what is sent: of each stream a lane or two
    /// @param lanes      the streams
    /// @param claim      who this process is
    /// @param on_placed  all streams stand where Kafka says, durably: their end_at_start() is to be forgotten, durably
    /// too. @return false where that failed: it is called again, and nothing is sent before
    Transactions(const ClusterOptions& options, Streams& streams, AllLanes& lanes, Report report, Claim claim,
                 std::function<bool()> on_placed);

    /// Called when all of a transaction is acknowledged, before it is committed.
    void before_commit(std::function<void()> call) { before_commit_ = std::move(call); }

    /// The producer is a new one. @param fenced  the one before was fenced
    void replaced(bool fenced);
    /// Does what is due. Delivery reports are to be served between two calls.
    [[nodiscard]] Outcome turn(TransactionalProducer& producer, TimePoint now, const std::atomic<bool>& stopping);
    /// What somebody has to mend; empty: nothing.
    [[nodiscard]] const std::string& trouble() const { return trouble_; }
    /// Since the start. Any thread.
    [[nodiscard]] std::uint64_t committed_count() const { return committed_count_; }
    [[nodiscard]] std::uint64_t aborted_count() const { return aborted_count_; }

    /// Whether the streams stand where Kafka says.
    [[nodiscard]] bool placed() const { return placed_; }
    /// How many bytes stream `index` may send now, of this transaction or a new one; 0: none.
    [[nodiscard]] std::size_t room(std::size_t index) const;
    /// What was sent since the last call.
    void sent(std::size_t records, std::size_t bytes, TimePoint now);
    /// A record was not delivered: the transaction is spoilt.
    void failed() { spoilt_ = true; }
    /// The delivery report of a record that belongs to no stream.
    void position_delivered(int error);
    /// When turn() has something to do, if nothing else happens before.
    [[nodiscard]] TimePoint next_turn(TimePoint now) const;
    /// What is open is closed now, and no new one is begun.
    void finish() { finishing_ = true; }
    /// As finish(), until it is called with false: the uplink is closed for a while.
    void hold(bool held) { held_ = held; }
    /// Whether everything that was sent is committed.
    [[nodiscard]] bool at_rest() const { return phase_ <= Phase::idle; }

 private:
    enum class Phase : std::uint8_t {  // nothing was sent up to idle
        reading_claim,                 // after being fenced
        initializing,
        reading_positions,
        idle,
        open,
        draining,
        committing,
        aborting,
    };

    [[nodiscard]] Outcome read_claim(const std::atomic<bool>& stopping);
    [[nodiscard]] Outcome initialize(TransactionalProducer& producer);
    [[nodiscard]] Outcome place_streams(TransactionalProducer& producer, const std::atomic<bool>& stopping);
    [[nodiscard]] Outcome close(TransactionalProducer& producer, TimePoint now);
    [[nodiscard]] Outcome drain(TransactionalProducer& producer, TimePoint now);
    [[nodiscard]] bool place(StreamLanes& stream, const Positions& found, TransactionalProducer& producer);
    [[nodiscard]] Outcome commit(TransactionalProducer& producer);
    [[nodiscard]] Outcome abort(TransactionalProducer& producer, TimePoint now);
    [[nodiscard]] bool send(TransactionalProducer& producer, const std::string& key, const std::string& value);
    [[nodiscard]] bool due(TimePoint now) const;
    [[nodiscard]] bool has_more() const;
    [[nodiscard]] bool any_in_flight() const;
    void find_refused_stream(TimePoint now);
    void next_alone();
    Outcome in_trouble(std::string text);

    const ClusterOptions& options_;
    Streams& streams_;
    AllLanes& lanes_;
    const Report report_;
    const Claim claim_;
    const std::function<bool()> on_placed_;
    std::function<void()> before_commit_;
    bool placed_ = false;
    TransactionSize size_;
    Phase phase_ = Phase::initializing;
    bool finishing_ = false;
    bool held_ = false;
    bool spoilt_ = false;
    std::optional<Step> cause_;  // of the abort that is going on
    std::size_t positions_in_flight_ = 0;
    // Librdkafka doesn't say which topic a refusal was about, so after one each stream goes alone for a turn.
    std::optional<std::size_t> alone_;
    TimePoint unsaid_since_{};  // since when a position has moved though no record was sent
    TimePoint retry_at_{};      // in trouble
    std::atomic<std::uint64_t> committed_count_{0};
    std::atomic<std::uint64_t> aborted_count_{0};
    std::string trouble_;
};

}  // namespace sluice::bridge::kafka
