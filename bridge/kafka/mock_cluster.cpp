#include "bridge/kafka/mock_cluster.hpp"

#include "bridge/kafka/handles.hpp"

#include <librdkafka/rdkafka_mock.h>

#include <array>
#include <utility>

namespace sluice::bridge::kafka {

namespace {

constexpr int16_t kProduceApiKey = 0;  // Kafka protocol guide, "Api Keys"

}  // namespace

struct MockCluster::Impl {
    // The mock cluster runs on a client handle's threads; the handle itself connects nowhere.
    std::unique_ptr<rd_kafka_t, decltype(&rd_kafka_destroy)> handle{nullptr, &rd_kafka_destroy};
    std::unique_ptr<rd_kafka_mock_cluster_t, decltype(&rd_kafka_mock_cluster_destroy)> cluster{
        nullptr, &rd_kafka_mock_cluster_destroy};
    int broker_count = 0;
};

MockCluster::MockCluster(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
MockCluster::~MockCluster() = default;

storage::Result<std::unique_ptr<MockCluster>> MockCluster::start(int brokers) {
    auto impl = std::make_unique<Impl>();
    std::array<char, 512> reason{};
    auto* conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, &ignore_log);  // it warns of having no brokers, which is what is wanted
    impl->handle.reset(rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason.data(), reason.size()));
    if (!impl->handle) return storage::Error(storage::Errc::rejected, std::string("mock cluster: ") + reason.data());
    impl->cluster.reset(rd_kafka_mock_cluster_new(impl->handle.get(), brokers));
    if (!impl->cluster) return storage::Error(storage::Errc::rejected, "mock cluster: cannot listen on 127.0.0.1");
    impl->broker_count = brokers;
    return std::unique_ptr<MockCluster>(new MockCluster(std::move(impl)));
}

bool MockCluster::create_topic(const std::string& topic, int partitions) {
    return rd_kafka_mock_topic_create(impl_->cluster.get(), topic.c_str(), partitions, 1) == RD_KAFKA_RESP_ERR_NO_ERROR;
}

std::string MockCluster::brokers() const {
    return rd_kafka_mock_cluster_bootstraps(impl_->cluster.get());
}

void MockCluster::take_away() {
    for (int id = 1; id <= impl_->broker_count; ++id) rd_kafka_mock_broker_set_down(impl_->cluster.get(), id);
}

void MockCluster::bring_back() {
    for (int id = 1; id <= impl_->broker_count; ++id) rd_kafka_mock_broker_set_up(impl_->cluster.get(), id);
}

void MockCluster::fail_produce(const std::vector<int>& errors) {
    for (const auto error : errors) {
        rd_kafka_mock_push_request_errors(impl_->cluster.get(), kProduceApiKey, 1,
                                          static_cast<rd_kafka_resp_err_t>(error));
    }
}

}  // namespace sluice::bridge::kafka
