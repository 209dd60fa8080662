// error_class.hpp: what an undelivered record asks of the forwarder.
#pragma once

#include <cstdint>
#include <string>

namespace sluice::bridge::kafka {

enum class ErrorClass : std::uint8_t {
    none,      ///< delivered
    record,    ///< this record, or one in its batch, will never be taken: find it and put it aside
    topic,     ///< nothing of this stream will be taken until somebody mends it: hold the stream
    producer,  ///< the producer gave it back (purged, fatal, timed out): send it again
};

/// `code` is an rd_kafka_resp_err_t. What is not known is an error of the topic: held and reported, never dropped.
[[nodiscard]] ErrorClass classify(int code);

/// librdkafka's or Kafka's own words for the code, and what to do where we know it.
[[nodiscard]] std::string explain(int code, const std::string& topic);

}  // namespace sluice::bridge::kafka
