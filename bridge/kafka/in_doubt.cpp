#include "bridge/kafka/in_doubt.hpp"

#include "bridge/kafka/assigned_consumer.hpp"
#include "bridge/kafka/handles.hpp"
#include "storage/crc32c.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <span>
#include <vector>

namespace sluice::bridge::kafka {

namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr int kQuestionMs = 5'000;
constexpr int kSliceMs = 100;

storage::Error unreadable(const Doubt& doubt, const std::string& why) {
    return {storage::Errc::rejected, "topic " + doubt.topic + " can't be read: " + why};
}

std::uint32_t checksum(const std::optional<std::string_view>& key, const std::optional<std::string_view>& value) {
    const auto take = [](const std::optional<std::string_view>& bytes, std::uint32_t before) {
        const std::array size{static_cast<std::byte>(bytes.has_value())};  // null is not empty
        return bytes ? storage::crc32c(std::as_bytes(std::span(*bytes)), storage::crc32c(size, before))
                     : storage::crc32c(size, before);
    };
    return take(value, take(key, 0));
}

Fingerprint fingerprint_of(const rd_kafka_message_t& message) {
    Fingerprint fingerprint{checksum(view(message.key, message.key_len), view(message.payload, message.len))};
    rd_kafka_timestamp_type_t type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
    const auto timestamp = rd_kafka_message_timestamp(&message, &type);
    if (type == RD_KAFKA_TIMESTAMP_CREATE_TIME) fingerprint.timestamp = timestamp;
    return fingerprint;
}

storage::Result<Handle> open_consumer(const ClusterOptions& options, const Doubt& doubt) {
    auto consumer = open_assigned_consumer(options, "sluice-origin", "read_committed");
    if (!consumer) return unreadable(doubt, consumer.error().message());
    return consumer;
}

/// By partition: where reading has to end; -1 where there is nothing to read. `list` gets where it begins.
storage::Result<std::vector<std::int64_t>> plan(rd_kafka_t* consumer, const Doubt& doubt,
                                                rd_kafka_topic_partition_list_t* list) {
    const Topic topic(rd_kafka_topic_new(consumer, doubt.topic.c_str(), nullptr));
    const struct rd_kafka_metadata* raw = nullptr;
    if (const auto error = rd_kafka_metadata(consumer, 0, topic.get(), &raw, kQuestionMs);
        error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return unreadable(doubt, rd_kafka_err2str(error));
    }
    const Metadata metadata(raw);
    const auto& found = metadata->topics[0];
    if (found.err != RD_KAFKA_RESP_ERR_NO_ERROR) return unreadable(doubt, rd_kafka_err2str(found.err));
    std::vector<std::int64_t> ends(static_cast<std::size_t>(found.partition_cnt), -1);
    for (std::int32_t partition = 0; partition < found.partition_cnt; ++partition) {
        std::int64_t low = 0;
        std::int64_t high = 0;
        const auto error =
            rd_kafka_query_watermark_offsets(consumer, doubt.topic.c_str(), partition, &low, &high, kQuestionMs);
        if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return unreadable(doubt, rd_kafka_err2str(error));
        const auto known = doubt.known.find(partition);
        const auto from = std::max(low, known != doubt.known.end() ? known->second + 1 : high - kTailRecords);
        if (from >= high) continue;
        ends[static_cast<std::size_t>(partition)] = high;
        rd_kafka_topic_partition_list_add(list, doubt.topic.c_str(), partition)->offset = from;
    }
    return ends;
}

std::optional<storage::Offset> origin_of(const rd_kafka_message_t& message, std::string_view prefix) {
    rd_kafka_headers_t* headers = nullptr;
    if (rd_kafka_message_headers(&message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return std::nullopt;
    const void* bytes = nullptr;
    std::size_t size = 0;
    if (rd_kafka_header_get_last(headers, kOriginHeader.data(), &bytes, &size) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return std::nullopt;
    }
    auto origin = view(bytes, size).value_or("");
    if (!origin.starts_with(prefix)) return std::nullopt;
    origin.remove_prefix(prefix.size());
    std::int64_t offset = 0;
    const auto parsed = std::from_chars(origin.data(), origin.data() + origin.size(), offset);
    return parsed.ec == std::errc() && parsed.ptr == origin.data() + origin.size()
               ? std::optional(storage::Offset(offset))
               : std::nullopt;
}

}  // namespace

OriginHeader::OriginHeader(const std::string& stream, const storage::LogId& log_id)
    : text_(stream + "/" + log_id.to_string() + "/"), prefix_(text_.size()) {}

std::string_view OriginHeader::of(storage::Offset offset) {
    std::array<char, 24> digits{};
    const auto* const end = std::to_chars(digits.data(), digits.data() + digits.size(), offset.value()).ptr;
    text_.resize(prefix_);
    text_.append(digits.data(), static_cast<std::size_t>(end - digits.data()));
    return text_;
}

bool is_same(const Fingerprint& found, const storage::RecordView& record) {
    return found.checksum == checksum(record.key, record.value) &&
           (!found.timestamp || *found.timestamp == record.timestamp.time_since_epoch().count());
}

storage::Result<Resolved> resolve(const ClusterOptions& options, const Doubt& doubt, std::chrono::milliseconds patience,
                                  const std::atomic<bool>& stopping) {
    const auto deadline = SteadyClock::now() + patience;
    auto consumer = open_consumer(options, doubt);
    if (!consumer) return consumer.error();
    const Partitions list(rd_kafka_topic_partition_list_new(1));
    auto ends = plan(consumer->get(), doubt, list.get());
    if (!ends) return ends.error();
    if (list->cnt == 0) return Resolved{};
    if (const auto error = rd_kafka_assign(consumer->get(), list.get()); error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return unreadable(doubt, rd_kafka_err2str(error));
    }
    const auto prefix = doubt.stream + "/" + doubt.log_id.to_string() + "/";
    Resolved resolved;
    for (int open = list->cnt; open > 0;) {
        if (stopping || SteadyClock::now() > deadline) {
            resolved.complete = false;
            break;
        }
        const Message message(rd_kafka_consumer_poll(consumer->get(), kSliceMs));
        if (!message || message->partition < 0) continue;
        auto& end = (*ends)[static_cast<std::size_t>(message->partition)];
        const bool at_end = message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
        if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR && !at_end) continue;  // it is tried again
        if (!at_end) {
            const auto offset = origin_of(*message, prefix);
            if (offset && *offset >= doubt.from) {
                resolved.there.insert_or_assign(
                    *offset, InKafka{{message->partition, message->offset}, fingerprint_of(*message)});
            }
        }
        // Behind the end of what is decided stands, at worst, somebody's open transaction: no record of ours.
        if (end < 0 || (!at_end && message->offset + 1 < end)) continue;
        end = -1;
        --open;
    }
    rd_kafka_consumer_close(consumer->get());
    return resolved;
}

}  // namespace sluice::bridge::kafka
