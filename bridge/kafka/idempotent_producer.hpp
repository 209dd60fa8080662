// idempotent_producer.hpp: the producer of at-least-once delivery, and the base of the transactional one. Included by
// bridge/kafka/*.cpp only.
#pragma once

#include "bridge/kafka/handles.hpp"
#include "bridge/kafka/producer.hpp"

#include <map>

namespace sluice::bridge::kafka {

class IdempotentProducer : public Producer {
 public:
    IdempotentProducer(Handle handle, std::unique_ptr<Report> report);
    ~IdempotentProducer() override;
    IdempotentProducer(const IdempotentProducer&) = delete;
    IdempotentProducer& operator=(const IdempotentProducer&) = delete;

    [[nodiscard]] Sent send(const std::string& topic, const storage::RecordView& record, void* tag) override;
    void poll(std::chrono::milliseconds wait, const ProducerEvents& events) override;
    void wake() override { rd_kafka_queue_yield(queue_.get()); }
    [[nodiscard]] std::optional<std::string> fatal() const override;
    [[nodiscard]] int last_error() const override { return last_error_; }
    void give_back(bool in_flight) override;

    [[nodiscard]] rd_kafka_t* handle() const { return handle_.get(); }
    /// The topic's handle, made when it is first asked for.
    [[nodiscard]] rd_kafka_topic_t* topic(const std::string& name);

 private:
    const std::unique_ptr<Report> report_;  // librdkafka's log callback points at it
    Handle handle_;
    Queue queue_;
    std::map<std::string, Topic> topics_;
    int last_error_ = 0;
};

struct RawProducer {
    Handle handle;
    std::unique_ptr<Report> report;  ///< what the handle's log callback points at
};

/// @return Errc::rejected with librdkafka's reason where a property is wrong
[[nodiscard]] storage::Result<RawProducer> open_producer(const std::map<std::string, std::string>& properties,
                                                         const Report& report);

}  // namespace sluice::bridge::kafka
