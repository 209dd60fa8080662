#include "bridge/kafka/transactional_producer.hpp"

#include "bridge/kafka/kafka_config.hpp"

namespace sluice::bridge::kafka {

namespace {

int milliseconds(std::chrono::milliseconds slice) {
    return static_cast<int>(slice.count());
}

bool means_fenced(int code) {
    return code == RD_KAFKA_RESP_ERR__FENCED || code == RD_KAFKA_RESP_ERR_PRODUCER_FENCED ||
           code == RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH;
}

Step step_of(rd_kafka_error_t* raw) {
    const KafkaError error(raw);
    if (!error) return {Step::Result::done};
    const auto code = rd_kafka_error_code(error.get());
    const auto as = [&](Step::Result result) { return Step{result, code, rd_kafka_error_string(error.get())}; };
    if (rd_kafka_error_is_fatal(error.get()) != 0) {
        return as(means_fenced(code) ? Step::Result::fenced : Step::Result::fatal);
    }
    if (rd_kafka_error_txn_requires_abort(error.get()) != 0) return as(Step::Result::abortable);
    if (rd_kafka_error_is_retriable(error.get()) != 0 || code == RD_KAFKA_RESP_ERR__TIMED_OUT) {
        return as(Step::Result::again);
    }
    return as(Step::Result::fatal);  // what is not known ends the producer, and with it all doubt
}

}  // namespace

Sent TransactionalProducer::send(const std::string& topic, const storage::RecordView& record, void* tag) {
    if (!in_transaction_) {
        if (step_of(rd_kafka_begin_transaction(handle())).result != Step::Result::done) return Sent::spent;
        in_transaction_ = true;
    }
    const auto sent = IdempotentProducer::send(topic, record, tag);
    // A transaction that is spoilt takes no more; trouble() tells why.
    return sent == Sent::refused && last_error() == RD_KAFKA_RESP_ERR__STATE ? Sent::spent : sent;
}

Step TransactionalProducer::trouble() {
    if (!in_transaction_) return {Step::Result::done};
    auto step = step_of(rd_kafka_begin_transaction(handle()));  // refused with the reason; "not valid" if all is well
    if (step.code == RD_KAFKA_RESP_ERR__STATE) return {Step::Result::done};
    return step;
}

bool TransactionalProducer::fenced() const {
    return means_fenced(rd_kafka_fatal_error(handle(), nullptr, 0));
}

Step TransactionalProducer::initialize(std::chrono::milliseconds slice) {
    return step_of(rd_kafka_init_transactions(handle(), milliseconds(slice)));
}

Step TransactionalProducer::commit(std::chrono::milliseconds slice) {
    auto step = step_of(rd_kafka_commit_transaction(handle(), milliseconds(slice)));
    if (step.result == Step::Result::done) in_transaction_ = false;
    return step;
}

Step TransactionalProducer::abort(std::chrono::milliseconds slice) {
    auto step = step_of(rd_kafka_abort_transaction(handle(), milliseconds(slice)));
    if (step.result == Step::Result::done) in_transaction_ = false;
    return step;
}

void TransactionalProducer::hurry() {
    // Batches are closed for as long as a flush lasts, so it has to last until the threads of librdkafka have looked.
    constexpr int kMoment = 5;
    rd_kafka_flush(handle(), kMoment);
}

storage::Result<std::unique_ptr<TransactionalProducer>> make_transactional_producer(const ClusterOptions& options,
                                                                                    const Report& report) {
    auto raw = open_producer(producer_properties(options), report);
    if (!raw) return raw.error();
    return std::make_unique<TransactionalProducer>(std::move(raw->handle), std::move(raw->report));
}

}  // namespace sluice::bridge::kafka
