#include "bridge/kafka/position.hpp"

#include "bridge/kafka/assigned_consumer.hpp"
#include "bridge/kafka/handles.hpp"
#include "bridge/kafka/kafka_config.hpp"

#include <simdjson.h>

#include <chrono>
#include <vector>

namespace sluice::bridge::kafka {

namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr int kPositionQuestionMs = 5'000;
constexpr int kPositionSliceMs = 100;

storage::Error unreadable(const ClusterOptions& options, const std::string& why) {
    return {storage::Errc::rejected, "the positions in topic " + options.position_topic + " can't be read: " + why};
}

storage::Result<Handle> open_consumer(const ClusterOptions& options, const char* isolation_level) {
    auto consumer = open_assigned_consumer(options, "sluice-positions", isolation_level);
    if (!consumer) return unreadable(options, consumer.error().message());
    return consumer;
}

/// The end of each partition, open transactions included. A reader of committed records would be told the end of those
/// that are decided, and miss a position of ours behind an open transaction of another gateway.
storage::Result<std::vector<std::int64_t>> ends_of(const ClusterOptions& options) {
    auto consumer = open_consumer(options, "read_uncommitted");
    if (!consumer) return consumer.error();
    const Topic topic(rd_kafka_topic_new(consumer->get(), options.position_topic.c_str(), nullptr));
    const struct rd_kafka_metadata* raw = nullptr;
    if (const auto error = rd_kafka_metadata(consumer->get(), 0, topic.get(), &raw, kPositionQuestionMs);
        error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return unreadable(options, rd_kafka_err2str(error));
    }
    const Metadata metadata(raw);
    const auto& found = metadata->topics[0];
    if (found.err != RD_KAFKA_RESP_ERR_NO_ERROR) return unreadable(options, rd_kafka_err2str(found.err));
    std::vector<std::int64_t> ends(static_cast<std::size_t>(found.partition_cnt));
    for (std::size_t partition = 0; partition < ends.size(); ++partition) {
        std::int64_t low = 0;
        const auto error = rd_kafka_query_watermark_offsets(consumer->get(), options.position_topic.c_str(),
                                                            static_cast<std::int32_t>(partition), &low,
                                                            &ends[partition], kPositionQuestionMs);
        if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return unreadable(options, rd_kafka_err2str(error));
        if (ends[partition] <= low) ends[partition] = 0;
    }
    return ends;
}

/// @return false where the record is ours and can't be read: it may be all that keeps records from going twice
bool take(const rd_kafka_message_t& message, const std::string& agent_id, Positions& positions) {
    const std::string key(view(message.key, message.key_len).value_or(""));
    const auto value = view(message.payload, message.len).value_or("");
    const bool is_tombstone = message.payload == nullptr;
    if (key == agent_id) {
        positions.claim = parse_claim(value);
    } else if (key.starts_with(agent_id + "/")) {
        positions.of.erase(key);
        auto progress = parse_position(value);
        const bool good = progress || is_tombstone;
        if (progress) positions.of.emplace(key, std::move(*progress));
        return good;
    }
    return true;
}

}  // namespace

std::string position_key(const std::string& agent_id, const std::string& stream, const storage::LogId& log_id) {
    return agent_id + "/" + stream + "/" + log_id.to_string();
}

std::string position_value(const Progress& progress) {
    const auto next = "\"next_offset\":" + std::to_string(progress.next.value());
    if (progress.ahead.empty()) return "{\"version\":1," + next + "}";
    std::string finished;
    for (const auto& range : progress.ahead) {
        if (!finished.empty()) finished += ',';
        finished += "[" + std::to_string(range.first.value()) + "," + std::to_string(range.next.value()) + "]";
    }
    return "{\"version\":2," + next + ",\"finished\":[" + finished + "]}";
}

std::optional<Progress> parse_position(std::string_view value) {
    simdjson::dom::parser parser;
    const auto document = parser.parse(simdjson::padded_string(value));
    std::int64_t next = -1;
    if (document.at_key("next_offset").get_int64().get(next) != simdjson::SUCCESS || next < 0) return std::nullopt;
    Progress progress{storage::Offset(next), {}};
    simdjson::dom::array ranges;
    if (document.at_key("finished").get_array().get(ranges) != simdjson::SUCCESS) return progress;
    for (const auto range : ranges) {
        std::int64_t first = 0;
        std::int64_t end = 0;
        if (range.at(0).get_int64().get(first) != simdjson::SUCCESS) return std::nullopt;
        if (range.at(1).get_int64().get(end) != simdjson::SUCCESS || first < 0 || end <= first) return std::nullopt;
        progress.ahead.push_back({storage::Offset(first), storage::Offset(end)});
    }
    progress.normalize();
    return progress;
}

std::string claim_value(const Claim& claim) {
    const auto text = [](std::string words) {  // a UUID, and a host's name, which may be anything in theory
        std::erase_if(words, [](unsigned char c) { return c < ' ' || c > '~' || c == '"' || c == '\\'; });
        return "\"" + words + "\"";
    };
    return "{\"version\":1,\"instance\":" + text(claim.instance) + ",\"host\":" + text(claim.host) + "}";
}

std::optional<Claim> parse_claim(std::string_view value) {
    simdjson::dom::parser parser;
    const auto document = parser.parse(simdjson::padded_string(value));
    std::string_view instance;
    std::string_view host;
    if (document.at_key("instance").get_string().get(instance) != simdjson::SUCCESS) return std::nullopt;
    if (document.at_key("host").get_string().get(host) != simdjson::SUCCESS) return std::nullopt;
    return Claim{std::string(instance), std::string(host)};
}

storage::Result<Positions> read_positions(const ClusterOptions& options, std::chrono::milliseconds patience,
                                          const std::atomic<bool>& stopping) {
    const auto deadline = SteadyClock::now() + patience;
    const auto ends = ends_of(options);
    if (!ends) return ends.error();
    const Partitions list(rd_kafka_topic_partition_list_new(static_cast<int>(ends->size())));
    std::vector<bool> done(ends->size());
    std::size_t open = 0;
    for (std::size_t partition = 0; partition < ends->size(); ++partition) {
        done[partition] = (*ends)[partition] == 0;
        if (done[partition]) continue;
        ++open;
        rd_kafka_topic_partition_list_add(list.get(), options.position_topic.c_str(),
                                          static_cast<std::int32_t>(partition))
            ->offset = RD_KAFKA_OFFSET_BEGINNING;
    }
    Positions positions;
    if (open == 0) return positions;
    auto consumer = open_consumer(options, "read_committed");
    if (!consumer) return consumer.error();
    if (const auto error = rd_kafka_assign(consumer->get(), list.get()); error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return unreadable(options, rd_kafka_err2str(error));
    }
    std::string trouble = "no answer";
    while (open > 0) {
        if (stopping) return unreadable(options, "the agent stops");
        if (SteadyClock::now() > deadline) return unreadable(options, trouble);
        const Message message(rd_kafka_consumer_poll(consumer->get(), kPositionSliceMs));
        if (!message) continue;
        const auto partition = static_cast<std::size_t>(message->partition);
        if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            if (!take(*message, options.agent_id, positions)) {
                return unreadable(options, "what is at offset " + std::to_string(message->offset) + " of partition " +
                                               std::to_string(partition) + " is no position");
            }
        } else if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
            // The end of what is decided: behind it stands, at worst, an open transaction of another gateway.
            trouble = "a transaction of another gateway is open in it";
            if (done[partition] || message->offset < (*ends)[partition]) continue;
            done[partition] = true;
            --open;
        } else {
            trouble = rd_kafka_err2str(message->err);
        }
    }
    return positions;
}

}  // namespace sluice::bridge::kafka
