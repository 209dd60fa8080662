// transactional_producer.hpp: the producer of exactly-once delivery (KIP-98). Included by bridge/kafka/*.cpp only.
//
// Every step may take as long as the cluster does: it is done in slices, and asked again until it says something other
// than `again`. Delivery reports have to be served meanwhile (poll()).
#pragma once

#include "bridge/kafka/idempotent_producer.hpp"

namespace sluice::bridge::kafka {

struct Step {
    enum class Result : std::uint8_t {
        done,
        again,      ///< not yet: ask again
        abortable,  ///< this transaction can only be aborted
        fatal,      ///< the producer is spent: make a new one, which finds out what became of the transaction
        fenced,     ///< as fatal; another producer has our transactional id, or the coordinator's patience ended
    };
    Result result;
    int code = 0;           ///< rd_kafka_resp_err_t
    std::string text = {};  ///< librdkafka's words; empty where done
};

class TransactionalProducer final : public IdempotentProducer {
 public:
    using IdempotentProducer::IdempotentProducer;

    /// As a producer's, and opens a transaction where none is open.
    [[nodiscard]] Sent send(const std::string& topic, const storage::RecordView& record, void* tag) override;
    [[nodiscard]] bool in_transaction() const { return in_transaction_; }
    /// What has spoilt the transaction that is open, or nothing: Result::done.
    [[nodiscard]] Step trouble();
    /// Whether it is fatal because another producer has our transactional id, or the coordinator's patience has ended.
    [[nodiscard]] bool fenced() const;

    /// Fences whoever had the transactional id before, and ends what it left open. Once, before all else.
    [[nodiscard]] Step initialize(std::chrono::milliseconds slice);
    /// Where records are unanswered, they are sent without further waiting, and poll() has to hear of them.
    [[nodiscard]] Step commit(std::chrono::milliseconds slice);
    [[nodiscard]] Step abort(std::chrono::milliseconds slice);
    /// Sends what waits for its batch to fill up. Returns after a moment.
    void hurry();

 private:
    bool in_transaction_ = false;
};

/// @return Errc::rejected with librdkafka's reason where a property is wrong
[[nodiscard]] storage::Result<std::unique_ptr<TransactionalProducer>> make_transactional_producer(
    const ClusterOptions& options, const Report& report);

}  // namespace sluice::bridge::kafka
