// options.hpp: the Kafka cluster and how streams go there, as configured.
#pragma once

#include "bridge/kafka/uplink.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace sluice::bridge::kafka {

enum class TopicPolicy : std::uint8_t {
    create,  ///< a missing topic is created
    check,   ///< a missing topic holds its stream and is reported
};

enum class Delivery : std::uint8_t {
    at_least_once,
    exactly_once,  ///< records and the position in one transaction (transactions.hpp)
};

/// When a transaction closes: by whichever comes first. With a backlog it goes on for longer than `interval`, until
/// what closing costs is small beside it (transaction_size.hpp).
struct TransactionOptions {
    std::chrono::milliseconds interval{1'000};
    std::size_t records = 1'000'000;
    std::size_t bytes = 256U << 20U;
};

struct ClusterOptions {
    std::string brokers;   ///< host:port,…
    std::string agent_id;  ///< client.id and transactional.id are "sluice-<agent id>"
    Delivery delivery = Delivery::at_least_once;
    TransactionOptions transaction;
    std::string position_topic = "sluice-positions";  ///< of exactly-once delivery; compacted
    std::size_t inflight_bytes = 12U << 20U;          ///< memory of records handed to librdkafka, not acknowledged
    std::string compression = "lz4";                  ///< none, gzip, snappy, lz4, zstd
    bool origin_headers = false;                      ///< each record says which one of our log it is (in_doubt.hpp)
    TopicPolicy topics = TopicPolicy::create;
    std::int32_t partitions = 1;                       ///< of a topic that we create
    std::int16_t replication_factor = -1;              ///< -1: the broker's default
    std::chrono::milliseconds cursor_interval{1'000};  ///< how often cursors are stored while they move
    std::chrono::milliseconds retry_min{1'000};        ///< backoff of a held stream
    std::chrono::milliseconds retry_max{60'000};
    std::chrono::milliseconds reminder{60'000};  ///< a cluster that is away is said again; then at doubled intervals
    UplinkOptions uplink;
    std::map<std::string, std::string> properties;  ///< any librdkafka property; secrets already resolved
};

// stream.NAME.forward_priority
inline constexpr double kHighWeight = 16;
inline constexpr double kNormalWeight = 4;
inline constexpr double kLowWeight = 1;

/// A stream that is forwarded.
struct StreamTarget {
    std::string stream;
    std::string topic;
    enum class Order : std::uint8_t {
        fifo,
        live_first,  ///< after an outage the newest at once, and the backlog behind it (stream_lanes.hpp)
    };
    Order order = Order::fifo;
    double backlog_share = 0.5;     ///< live_first: of the stream's share of the uplink, for the backlog
    double weight = kNormalWeight;  ///< its share of an uplink that can't take all (fair_share.hpp)
};

}  // namespace sluice::bridge::kafka
