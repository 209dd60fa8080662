// What the cluster says of a topic: before the first record is sent there, and where no answer comes.
#include "bridge/kafka/error_class.hpp"
#include "bridge/kafka/idempotent_producer.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::bridge::kafka {

namespace {

constexpr int kMetadataTimeoutMs = 1'000;
constexpr int kCreateTimeoutMs = 10'000;
constexpr int kSilenceTimeoutMs = 5'000;
constexpr int kAnswerSliceMs = 50;
// librdkafka answers a request whose time is over by itself.
constexpr int kGraceMs = 1'000;

/// The answer, or null where none has come in time, or the agent stops.
Event wait_for_answer(const Queue& answers, int timeout_ms, const std::atomic<bool>& stopping) {
    Event event;
    for (int waited = 0; !event && waited < timeout_ms + kGraceMs && !stopping; waited += kAnswerSliceMs) {
        event.reset(rd_kafka_queue_poll(answers.get(), kAnswerSliceMs));
    }
    return event;
}

/// The error code of the topic in the cluster's metadata; of the request where the cluster doesn't answer.
rd_kafka_resp_err_t look_up(IdempotentProducer& producer, const std::string& topic, bool& answered) {
    const struct rd_kafka_metadata* raw = nullptr;
    const auto error = rd_kafka_metadata(producer.handle(), 0, producer.topic(topic), &raw, kMetadataTimeoutMs);
    answered = error == RD_KAFKA_RESP_ERR_NO_ERROR;
    if (!answered) return error;
    const Metadata metadata(raw);
    return metadata->topic_cnt == 1 ? metadata->topics[0].err : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
}

/// Whether the cluster names a controller that is one of its brokers. librdkafka's embedded one doesn't.
bool has_controller(IdempotentProducer& producer, const std::string& topic) {
    const struct rd_kafka_metadata* raw = nullptr;
    const auto error = rd_kafka_metadata(producer.handle(), 0, producer.topic(topic), &raw, kMetadataTimeoutMs);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return true;
    const Metadata metadata(raw);
    const auto* const first = metadata->brokers;
    const auto controller = rd_kafka_controllerid(producer.handle(), 0);
    return std::any_of(first, first + metadata->broker_cnt,
                       [&](const auto& broker) { return broker.id == controller; });
}

using TopicConfig = std::vector<std::pair<const char*, const char*>>;

TopicCheck create(IdempotentProducer& producer, const ClusterOptions& options, const std::string& topic,
                  std::int32_t partitions, const TopicConfig& config, const std::atomic<bool>& stopping) {
    std::array<char, 512> reason{};
    const NewTopic wanted(
        rd_kafka_NewTopic_new(topic.c_str(), partitions, options.replication_factor, reason.data(), reason.size()));
    if (!wanted) return {TopicState::missing, "topic " + topic + " can't be created: " + reason.data()};
    for (const auto& [name, value] : config) rd_kafka_NewTopic_set_config(wanted.get(), name, value);
    const AdminOptions admin(rd_kafka_AdminOptions_new(producer.handle(), RD_KAFKA_ADMIN_OP_CREATETOPICS));
    rd_kafka_AdminOptions_set_request_timeout(admin.get(), kCreateTimeoutMs, nullptr, 0);
    const Queue answers(rd_kafka_queue_new(producer.handle()));
    std::array<rd_kafka_NewTopic_t*, 1> list{wanted.get()};
    rd_kafka_CreateTopics(producer.handle(), list.data(), list.size(), admin.get(), answers.get());
    const auto event = wait_for_answer(answers, kCreateTimeoutMs, stopping);
    if (!event) return {TopicState::unreachable, "no answer to the creation of topic " + topic};
    if (const auto error = rd_kafka_event_error(event.get()); error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return {TopicState::missing,
                "topic " + topic + " can't be created: " + rd_kafka_event_error_string(event.get())};
    }
    std::size_t count = 0;
    const auto* results = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event.get()), &count);
    const auto error = count == 1 ? rd_kafka_topic_result_error(results[0]) : RD_KAFKA_RESP_ERR_UNKNOWN;
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR || error == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) {
        return {TopicState::ready, {}};
    }
    return {TopicState::missing, explain(error, topic)};
}

struct Setting {
    bool answered = false;
    std::optional<std::string> value;  ///< nullopt: not known, or we may not ask
};

Setting topic_setting(IdempotentProducer& producer, const std::string& topic, std::string_view name,
                      const std::atomic<bool>& stopping) {
    const ConfigResource wanted(rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic.c_str()));
    const AdminOptions admin(rd_kafka_AdminOptions_new(producer.handle(), RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS));
    rd_kafka_AdminOptions_set_request_timeout(admin.get(), kSilenceTimeoutMs, nullptr, 0);
    const Queue answers(rd_kafka_queue_new(producer.handle()));
    std::array<rd_kafka_ConfigResource_t*, 1> list{wanted.get()};
    rd_kafka_DescribeConfigs(producer.handle(), list.data(), list.size(), admin.get(), answers.get());
    const auto event = wait_for_answer(answers, kSilenceTimeoutMs, stopping);
    if (!event) return {};
    const auto error = rd_kafka_event_error(event.get());
    if (error == RD_KAFKA_RESP_ERR__TIMED_OUT || error == RD_KAFKA_RESP_ERR__TRANSPORT) return {};
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return {true, std::nullopt};
    std::size_t count = 0;
    const auto* resources =
        rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event.get()), &count);
    if (count != 1) return {true, std::nullopt};
    const auto* entries = rd_kafka_ConfigResource_configs(resources[0], &count);
    for (std::size_t i = 0; i < count; ++i) {
        if (name != rd_kafka_ConfigEntry_name(entries[i])) continue;
        const auto* value = rd_kafka_ConfigEntry_value(entries[i]);
        return {true, value == nullptr ? std::nullopt : std::optional<std::string>(value)};
    }
    return {true, std::nullopt};
}

/// The topic's min.insync.replicas; 1, which is Kafka's default, where we may not ask. nullopt: no answer.
std::optional<int> min_insync_replicas(IdempotentProducer& producer, const std::string& topic,
                                       const std::atomic<bool>& stopping) {
    const auto setting = topic_setting(producer, topic, "min.insync.replicas", stopping);
    if (!setting.answered) return std::nullopt;
    return setting.value ? std::atoi(setting.value->c_str()) : 1;
}

}  // namespace

bool is_answering(Producer& producer) {
    const struct rd_kafka_metadata* raw = nullptr;
    auto* handle = dynamic_cast<IdempotentProducer&>(producer).handle();
    if (rd_kafka_metadata(handle, 0, nullptr, &raw, kMetadataTimeoutMs) != RD_KAFKA_RESP_ERR_NO_ERROR) return false;
    const Metadata metadata(raw);
    return true;
}

TopicCheck explain_silence(Producer& producer, const std::string& topic, const std::atomic<bool>& stopping) {
    auto& idempotent = dynamic_cast<IdempotentProducer&>(producer);
    // First, as this wait can be ended, and that for metadata can't.
    const auto needed = min_insync_replicas(idempotent, topic, stopping);
    if (!needed) return {TopicState::unreachable, "no answer to a question about topic " + topic};
    const struct rd_kafka_metadata* raw = nullptr;
    const auto error = rd_kafka_metadata(idempotent.handle(), 0, idempotent.topic(topic), &raw, kMetadataTimeoutMs);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return {TopicState::unreachable, rd_kafka_err2str(error)};
    const Metadata metadata(raw);
    if (metadata->topic_cnt != 1) return {TopicState::ready, {}};
    const auto& found = metadata->topics[0];
    for (int i = 0; i < found.partition_cnt; ++i) {
        const auto& partition = found.partitions[i];
        const auto where = "partition " + std::to_string(partition.id) + " of topic " + topic;
        if (partition.leader < 0) return {TopicState::missing, where + " has no leader"};
        if (partition.isr_cnt < *needed) {
            return {TopicState::missing, where + " has " + std::to_string(partition.isr_cnt) + " of the " +
                                             std::to_string(*needed) +
                                             " in-sync replicas that it needs (min.insync.replicas)"};
        }
    }
    return {TopicState::ready, {}};
}

namespace {

TopicCheck ensure(IdempotentProducer& producer, const ClusterOptions& options, const std::string& topic,
                  std::int32_t partitions, const TopicConfig& config, const std::atomic<bool>& stopping) {
    bool answered = false;
    const auto error = look_up(producer, topic, answered);
    if (!answered) return {TopicState::unreachable, rd_kafka_err2str(error)};
    switch (error) {
        case RD_KAFKA_RESP_ERR_NO_ERROR:
        case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
            return {TopicState::ready, {}};  // just created: it will have one
        case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
            if (options.topics == TopicPolicy::create) {
                return create(producer, options, topic, partitions, config, stopping);
            }
            return {TopicState::missing, explain(error, topic)};
        default:
            return {TopicState::missing, explain(error, topic)};
    }
}

}  // namespace

TopicCheck ensure_topic(Producer& producer, const ClusterOptions& options, const std::string& topic,
                        const std::atomic<bool>& stopping) {
    return ensure(dynamic_cast<IdempotentProducer&>(producer), options, topic, options.partitions, {}, stopping);
}

TopicCheck ensure_position_topic(Producer& producer, const ClusterOptions& options, const std::atomic<bool>& stopping) {
    auto& idempotent = dynamic_cast<IdempotentProducer&>(producer);
    const auto& topic = options.position_topic;
    // Small segments: only closed ones are compacted, and all that is there is read at each start.
    const TopicConfig config = {{"cleanup.policy", "compact"}, {"segment.bytes", "16777216"}};
    auto found = ensure(idempotent, options, topic, 1, config, stopping);
    if (found.state != TopicState::ready) return found;
    if (!has_controller(idempotent, topic)) return found;  // nobody can be asked
    const auto policy = topic_setting(idempotent, topic, "cleanup.policy", stopping);
    if (!policy.answered) return {TopicState::unreachable, "no answer to a question about topic " + topic};
    if (policy.value && *policy.value != "compact") {
        return {TopicState::missing, "topic " + topic + " has cleanup.policy=" + *policy.value +
                                         ", and positions must not expire (set it to compact, or "
                                         "kafka.position_topic to another topic)"};
    }
    return found;
}

}  // namespace sluice::bridge::kafka
