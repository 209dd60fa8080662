#include "bridge/kafka/topic_reader.hpp"

#include "bridge/kafka/handles.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace sluice::bridge::kafka {

namespace {}  // namespace

struct TopicReader::Impl {
    ~Impl() {
        if (handle) rd_kafka_consumer_close(handle.get());
    }
    Handle handle;
};

TopicReader::TopicReader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TopicReader::~TopicReader() = default;

storage::Result<std::unique_ptr<TopicReader>> TopicReader::open(const std::string& brokers, const std::string& topic,
                                                                std::int32_t partitions) {
    constexpr std::array<std::pair<const char*, const char*>, 7> kProperties = {{
        {"group.id", "sluice-audit"},  // never joined: partitions are assigned by hand
        {"enable.auto.commit", "false"},
        {"auto.offset.reset", "earliest"},
        {"isolation.level", "read_committed"},
        {"topic.metadata.refresh.interval.ms", "1000"},
        {"reconnect.backoff.max.ms", "1000"},
        {"fetch.wait.max.ms", "100"},
    }};
    std::array<char, 512> reason{};
    Conf conf(rd_kafka_conf_new());
    rd_kafka_conf_set_log_cb(conf.get(), &ignore_log);
    bool set = rd_kafka_conf_set(conf.get(), "bootstrap.servers", brokers.c_str(), reason.data(), reason.size()) ==
               RD_KAFKA_CONF_OK;
    for (const auto& [name, value] : kProperties) {
        set = set && rd_kafka_conf_set(conf.get(), name, value, reason.data(), reason.size()) == RD_KAFKA_CONF_OK;
    }
    auto impl = std::make_unique<Impl>();
    if (set) impl->handle.reset(rd_kafka_new(RD_KAFKA_CONSUMER, conf.get(), reason.data(), reason.size()));
    if (!impl->handle) return storage::Error(storage::Errc::rejected, std::string("consumer: ") + reason.data());
    static_cast<void>(conf.release());  // owned by the handle now
    rd_kafka_poll_set_consumer(impl->handle.get());

    const Partitions list(rd_kafka_topic_partition_list_new(partitions));
    for (std::int32_t partition = 0; partition < partitions; ++partition) {
        rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), partition)->offset = RD_KAFKA_OFFSET_BEGINNING;
    }
    if (const auto error = rd_kafka_assign(impl->handle.get(), list.get()); error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return storage::Error(storage::Errc::rejected, std::string("consumer: ") + rd_kafka_err2str(error));
    }
    return std::unique_ptr<TopicReader>(new TopicReader(std::move(impl)));
}

void TopicReader::poll(std::chrono::milliseconds wait, const std::function<void(const ConsumedRecord&)>& take) {
    const auto deadline = std::chrono::steady_clock::now() + wait;
    for (;;) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
        if (left.count() < 0) return;
        const Message message(rd_kafka_consumer_poll(impl_->handle.get(), static_cast<int>(left.count())));
        if (!message) return;
        if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) continue;  // the cluster is away, or the topic not there yet
        take({message->partition, message->offset, view(message->key, message->key_len),
              view(message->payload, message->len)});
    }
}

}  // namespace sluice::bridge::kafka
