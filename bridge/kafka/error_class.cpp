#include "bridge/kafka/error_class.hpp"

#include <librdkafka/rdkafka.h>

namespace sluice::bridge::kafka {

ErrorClass classify(int code) {
    switch (code) {
        case RD_KAFKA_RESP_ERR_NO_ERROR:
            return ErrorClass::none;
        case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
        case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
        case RD_KAFKA_RESP_ERR_INVALID_RECORD:
        case RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP:
            return ErrorClass::record;
        case RD_KAFKA_RESP_ERR__PURGE_QUEUE:
        case RD_KAFKA_RESP_ERR__PURGE_INFLIGHT:
        case RD_KAFKA_RESP_ERR__FATAL:
        case RD_KAFKA_RESP_ERR__GAPLESS_GUARANTEE:
        case RD_KAFKA_RESP_ERR__STATE:
        case RD_KAFKA_RESP_ERR__DESTROY:
        case RD_KAFKA_RESP_ERR__TRANSPORT:
        case RD_KAFKA_RESP_ERR__TIMED_OUT:
        case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT:
        case RD_KAFKA_RESP_ERR__RETRY:
        case RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER:
        case RD_KAFKA_RESP_ERR_DUPLICATE_SEQUENCE_NUMBER:
        case RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID:
        case RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH:
        case RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING:
        case RD_KAFKA_RESP_ERR_INVALID_TXN_STATE:
        case RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS:
        case RD_KAFKA_RESP_ERR_TRANSACTION_COORDINATOR_FENCED:
        case RD_KAFKA_RESP_ERR_PRODUCER_FENCED:
        case RD_KAFKA_RESP_ERR__FENCED:
            return ErrorClass::producer;
        default:
            return ErrorClass::topic;
    }
}

std::string explain(int code, const std::string& topic) {
    const auto error = static_cast<rd_kafka_resp_err_t>(code);
    const std::string words = rd_kafka_err2str(error);
    switch (error) {
        case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
        case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
        case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
            return "topic " + topic + " does not exist in the cluster (create it, or set kafka.topics = \"create\")";
        case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
            return "not allowed to use topic " + topic + " (grant the agent's principal Write, Describe and Create)";
        case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
            return "not allowed by the cluster (grant the agent's principal IdempotentWrite): " + words;
        case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
            return "not allowed to use transactions (grant the agent's principal Write and Describe on its "
                   "transactional id, which is \"sluice-\" and the agent's id)";
        case RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR:
            return "topic " + topic + " can't be created with this kafka.replication_factor: " + words;
        default:
            return "topic " + topic + ": " + words;
    }
}

}  // namespace sluice::bridge::kafka
