// producer.hpp: what the forwarder asks of a producer: send, hear what became of it, and know when it is spent.
//
// One thread owns a producer and calls everything but wake().
#pragma once

#include "bridge/kafka/options.hpp"
#include "bridge/report.hpp"
#include "storage/delivery_block.hpp"
#include "storage/record.hpp"
#include "storage/result.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace sluice::bridge::kafka {

enum class Sent : std::uint8_t {
    queued,     ///< a delivery report will come
    full,       ///< no room now: poll, then try again
    too_large,  ///< above message.max.bytes: it can never be sent
    spent,      ///< the producer is fatal: make a new one
    refused,    ///< the topic is known not to take records: last_error()
};

/// What the producer tells while it is polled. `tag` is what send() was given: the entry of a stream's window, or
/// nullptr for a record that belongs to no stream.
struct ProducerEvents {
    std::function<void(void* tag, int error_code, storage::KafkaPlace place)> on_delivery;
    /// Not about a record: all brokers down, authentication failed. Lasting troubles come again and again.
    std::function<void(int error_code, const std::string& message)> on_trouble;
    /// Bytes that were sent to all brokers since the producer was made, as requests are: compressed, before TLS. Once a
    /// second where there is an uplink.rate, and else never.
    std::function<void(std::uint64_t bytes)> on_wire_bytes = {};
};

class Producer {
 public:
    virtual ~Producer() = default;

    /// Hands over a record; key, value and headers are copied. Headers that are the agent's own notes stay behind.
    [[nodiscard]] virtual Sent send(const std::string& topic, const storage::RecordView& record, void* tag) = 0;
    /// Serves events for at most `wait`, less where there are some or wake() was called.
    virtual void poll(std::chrono::milliseconds wait, const ProducerEvents& events) = 0;
    /// Ends a poll(), the present one or the next. Thread-safe.
    virtual void wake() = 0;
    /// Why the producer is fatal, or nullopt. A fatal one only gives back what it holds.
    [[nodiscard]] virtual std::optional<std::string> fatal() const = 0;
    /// The error code of the last Sent::refused.
    [[nodiscard]] virtual int last_error() const = 0;
    /// Gives back what was not sent yet, and with `in_flight` what was sent and not answered, as delivery reports.
    virtual void give_back(bool in_flight) = 0;
};

/// An idempotent producer: in order and without duplicates for as long as it lives (KIP-98).
/// @return Errc::rejected with librdkafka's reason where a property is wrong.
[[nodiscard]] storage::Result<std::unique_ptr<Producer>> make_idempotent_producer(const ClusterOptions& options,
                                                                                  const Report& report);

enum class TopicState : std::uint8_t { ready, unreachable, missing };

struct TopicCheck {
    TopicState state;
    std::string trouble;  ///< what is wrong and what to do; empty where ready
};

/// Looks whether the topic is there, and creates it where the options say so. Waits for at most a few seconds, and
/// only where the cluster doesn't answer; a second at most once `stopping` is set: the answer means nothing then.
[[nodiscard]] TopicCheck ensure_topic(Producer& producer, const ClusterOptions& options, const std::string& topic,
                                      const std::atomic<bool>& stopping);

/// The same for the topic of the positions (options.position_topic), which has to be compacted and nothing else.
[[nodiscard]] TopicCheck ensure_position_topic(Producer& producer, const ClusterOptions& options,
                                               const std::atomic<bool>& stopping);

/// Whether the cluster answers. Waits for a second at most.
[[nodiscard]] bool is_answering(Producer& producer);

/// Why the cluster may have answered nothing for a topic that was ready: too few in-sync replicas, which librdkafka
/// retries without a word, or a cluster that hangs (unreachable). Waits for a few seconds, as ensure_topic().
/// Ready: no reason is found.
[[nodiscard]] TopicCheck explain_silence(Producer& producer, const std::string& topic,
                                         const std::atomic<bool>& stopping);

}  // namespace sluice::bridge::kafka
