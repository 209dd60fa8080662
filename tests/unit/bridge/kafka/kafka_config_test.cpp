#include "bridge/kafka/kafka_config.hpp"

#include "bridge/kafka/error_class.hpp"

#include <doctest/doctest.h>
#include <librdkafka/rdkafka.h>

#include <array>
#include <string>

using namespace sluice::bridge::kafka;

TEST_CASE("kafka properties: any that librdkafka knows may be set, but for those that delivery depends on") {
    CHECK_FALSE(check_property("security.protocol", "SASL_SSL"));
    CHECK_FALSE(check_property("linger.ms", "50"));
    CHECK_FALSE(check_property("message.max.bytes", "2000000"));
    for (const auto* name : {"acks", "request.required.acks", "enable.idempotence", "enable.gapless.guarantee",
                             "message.timeout.ms", "delivery.timeout.ms", "partitioner", "transactional.id",
                             "bootstrap.servers", "compression.codec", "delivery.report.only.error", "log.queue"}) {
        const auto refused = check_property(name, "1");
        REQUIRE_MESSAGE(refused.has_value(), name);
        CHECK_MESSAGE(refused->find(name) != std::string::npos, *refused);
    }
    CHECK(check_property("liner.ms", "50")->find("knows no property") != std::string::npos);
    CHECK(check_property("linger.ms", "soon").has_value());
}

TEST_CASE("kafka properties: the producer is idempotent, waits for ever, and partitions as Kafka's Java client") {
    ClusterOptions options;
    options.brokers = "b:9092";
    options.properties = {{"linger.ms", "50"}};
    const auto properties = producer_properties(options);
    CHECK(properties.at("enable.idempotence") == "true");
    CHECK(properties.at("acks") == "all");
    CHECK(properties.at("message.timeout.ms") == "0");
    CHECK(properties.at("partitioner") == "murmur2_random");
    CHECK(properties.at("linger.ms") == "50");
}

TEST_CASE("partitioner: keys go where Kafka's Java client sends them") {
    // Partition = (murmur2(key) & 0x7fffffff) % partitions. The hashes are those of org.apache.kafka.common.utils.Utils
    // as its own test lists them (UtilsTest.testMurmur2).
    struct Case {
        const char* key;
        std::int32_t murmur2;
    };
    constexpr std::array kCases = {
        Case{"21", -973932308},
        Case{"foobar", -790332482},
        Case{"a-little-bit-long-string", -985981536},
        Case{"a-little-bit-longer-string", -1486304829},
        Case{"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971},
        Case{"abc", 479470107},
    };
    for (const auto& c : kCases) {
        const std::string key = c.key;
        const auto expected = (c.murmur2 & 0x7fffffff) % 12;
        CHECK_MESSAGE(
            rd_kafka_msg_partitioner_murmur2_random(nullptr, key.data(), key.size(), 12, nullptr, nullptr) == expected,
            key);
    }
}

TEST_CASE("error class: who is to blame") {
    CHECK(classify(RD_KAFKA_RESP_ERR_NO_ERROR) == ErrorClass::none);
    CHECK(classify(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) == ErrorClass::record);
    CHECK(classify(RD_KAFKA_RESP_ERR_INVALID_RECORD) == ErrorClass::record);
    CHECK(classify(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED) == ErrorClass::topic);
    CHECK(classify(RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) == ErrorClass::topic);
    CHECK(classify(RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS) == ErrorClass::topic);
    CHECK(classify(RD_KAFKA_RESP_ERR__FATAL) == ErrorClass::producer);
    CHECK(classify(RD_KAFKA_RESP_ERR__PURGE_QUEUE) == ErrorClass::producer);
    CHECK_MESSAGE(classify(12345) == ErrorClass::topic, "what is not known is held, not dropped");
}
