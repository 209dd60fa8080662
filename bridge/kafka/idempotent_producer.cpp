#include "bridge/kafka/idempotent_producer.hpp"

#include "bridge/kafka/kafka_config.hpp"
#include "bridge/kafka/oauth_token.hpp"

#include <array>
#include <charconv>
#include <string_view>
#include <system_error>
#include <vector>

namespace sluice::bridge::kafka {

namespace {

void forward_log(const rd_kafka_t* handle, int /*level*/, const char* facility, const char* text) {
    // librdkafka logs each failed connection as an error; troubles that matter come as events.
    const auto* report = static_cast<const Report*>(rd_kafka_opaque(handle));
    (*report)(Severity::debug, "librdkafka", std::string(facility) + ": " + text);
}

rd_kafka_headers_t* copy_headers(const storage::RecordView& record) {
    rd_kafka_headers_t* headers = nullptr;
    for (const auto& header : record.headers) {
        if (header.key.starts_with(storage::kInternalHeaderPrefix)) continue;
        if (headers == nullptr) headers = rd_kafka_headers_new(record.headers.size());
        rd_kafka_header_add(headers, header.key.data(), static_cast<ssize_t>(header.key.size()),
                            header.value ? header.value->data() : nullptr,
                            header.value ? static_cast<ssize_t>(header.value->size()) : 0);
    }
    return headers;
}

// librdkafka wants pointers to void, and tells null from empty by the pointer.
void* bytes(const std::optional<std::string_view>& text) {
    static char empty = 0;
    if (!text) return nullptr;
    return text->empty() ? &empty : const_cast<char*>(text->data());
}

/// The sum over all brokers; theirs are called "txbytes". The document is a hundred times as long as this number.
std::optional<std::uint64_t> wire_bytes(std::string_view statistics) {
    constexpr std::string_view kName = "\"tx_bytes\":";
    const auto at = statistics.find(kName);
    if (at == std::string_view::npos) return std::nullopt;
    const auto number = statistics.substr(at + kName.size());
    std::uint64_t bytes = 0;
    const auto parsed = std::from_chars(number.data(), number.data() + number.size(), bytes);
    return parsed.ec == std::errc() ? std::optional(bytes) : std::nullopt;
}

std::size_t size(const std::optional<std::string_view>& text) {
    return text ? text->size() : 0;
}

}  // namespace

IdempotentProducer::IdempotentProducer(Handle handle, std::unique_ptr<Report> report)
    : report_(std::move(report)), handle_(std::move(handle)), queue_(rd_kafka_queue_get_main(handle_.get())) {}

IdempotentProducer::~IdempotentProducer() {
    topics_.clear();
    queue_.reset();
}

rd_kafka_topic_t* IdempotentProducer::topic(const std::string& name) {
    auto& topic = topics_[name];
    if (!topic) topic.reset(rd_kafka_topic_new(handle_.get(), name.c_str(), nullptr));
    return topic.get();
}

Sent IdempotentProducer::send(const std::string& name, const storage::RecordView& record, void* tag) {
    constexpr std::size_t kFields = 7;
    std::array<rd_kafka_vu_t, kFields> fields{};
    std::size_t n = 0;
    fields[n].vtype = RD_KAFKA_VTYPE_RKT;
    fields[n++].u.rkt = topic(name);
    fields[n].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
    fields[n++].u.i = RD_KAFKA_MSG_F_COPY;
    fields[n].vtype = RD_KAFKA_VTYPE_KEY;
    fields[n++].u.mem = {bytes(record.key), size(record.key)};
    fields[n].vtype = RD_KAFKA_VTYPE_VALUE;
    fields[n++].u.mem = {bytes(record.value), size(record.value)};
    fields[n].vtype = RD_KAFKA_VTYPE_TIMESTAMP;
    fields[n++].u.i64 = record.timestamp.time_since_epoch().count();
    fields[n].vtype = RD_KAFKA_VTYPE_OPAQUE;
    fields[n++].u.ptr = tag;
    auto* headers = copy_headers(record);
    if (headers != nullptr) {
        fields[n].vtype = RD_KAFKA_VTYPE_HEADERS;
        fields[n++].u.headers = headers;
    }
    const KafkaError error(rd_kafka_produceva(handle_.get(), fields.data(), n));
    if (!error) return Sent::queued;
    if (headers != nullptr) rd_kafka_headers_destroy(headers);  // taken over only where the record was
    const auto code = rd_kafka_error_code(error.get());
    if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL) return Sent::full;
    if (code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) return Sent::too_large;
    if (code == RD_KAFKA_RESP_ERR__FATAL) return Sent::spent;
    last_error_ = code;
    return Sent::refused;
}

void IdempotentProducer::poll(std::chrono::milliseconds wait, const ProducerEvents& events) {
    const Event event(rd_kafka_queue_poll(queue_.get(), static_cast<int>(wait.count())));
    if (!event) return;
    if (rd_kafka_event_type(event.get()) == RD_KAFKA_EVENT_DR) {
        while (const auto* message = rd_kafka_event_message_next(event.get())) {
            events.on_delivery(message->_private, message->err, {message->partition, message->offset});
        }
    } else if (rd_kafka_event_type(event.get()) == RD_KAFKA_EVENT_ERROR) {
        events.on_trouble(rd_kafka_event_error(event.get()), rd_kafka_event_error_string(event.get()));
    } else if (rd_kafka_event_type(event.get()) == RD_KAFKA_EVENT_STATS && events.on_wire_bytes) {
        if (const auto sent = wire_bytes(rd_kafka_event_stats(event.get()))) events.on_wire_bytes(*sent);
    }
}

std::optional<std::string> IdempotentProducer::fatal() const {
    std::array<char, 512> why{};
    const auto code = rd_kafka_fatal_error(handle_.get(), why.data(), why.size());
    return code == RD_KAFKA_RESP_ERR_NO_ERROR ? std::nullopt : std::optional<std::string>(why.data());
}

void IdempotentProducer::give_back(bool in_flight) {
    const int flags =
        RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_NON_BLOCKING | (in_flight ? RD_KAFKA_PURGE_F_INFLIGHT : 0);
    rd_kafka_purge(handle_.get(), flags);
}

storage::Result<RawProducer> open_producer(const std::map<std::string, std::string>& properties, const Report& report) {
    std::array<char, 512> reason{};
    Conf conf(rd_kafka_conf_new());
    for (const auto& [name, value] : properties) {
        if (rd_kafka_conf_set(conf.get(), name.c_str(), value.c_str(), reason.data(), reason.size()) !=
            RD_KAFKA_CONF_OK) {
            return storage::Error(storage::Errc::rejected, std::string("kafka: ") + reason.data());
        }
    }
    RawProducer producer{nullptr, std::make_unique<Report>(report)};
    rd_kafka_conf_set_opaque(conf.get(), producer.report.get());
    rd_kafka_conf_set_log_cb(conf.get(), &forward_log);
    rd_kafka_conf_set_events(conf.get(), RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_STATS);
    take_tokens_from_file(conf.get(), properties);
    producer.handle.reset(rd_kafka_new(RD_KAFKA_PRODUCER, conf.get(), reason.data(), reason.size()));
    if (!producer.handle) return storage::Error(storage::Errc::rejected, std::string("kafka: ") + reason.data());
    static_cast<void>(conf.release());  // owned by the handle now
    renew_tokens_in_background(producer.handle.get());
    return producer;
}

storage::Result<std::unique_ptr<Producer>> make_idempotent_producer(const ClusterOptions& options,
                                                                    const Report& report) {
    auto raw = open_producer(producer_properties(options), report);
    if (!raw) return raw.error();
    return std::unique_ptr<Producer>(
        std::make_unique<IdempotentProducer>(std::move(raw->handle), std::move(raw->report)));
}

}  // namespace sluice::bridge::kafka
