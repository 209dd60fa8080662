// mock_cluster.hpp: librdkafka's embedded Kafka-protocol cluster: real sockets and protocol, records in memory.
//
// For the demo and for tests of faults that a real cluster can't be made to show. It keeps at most 5 MiB or 100,000
// records a partition, so a reader has to keep up.
#pragma once

#include "storage/result.hpp"

#include <memory>
#include <string>
#include <vector>

namespace sluice::bridge::kafka {

class MockCluster {
 public:
    /// Listens on free ports of 127.0.0.1. A topic that is not there comes into being when it is first used.
    [[nodiscard]] static storage::Result<std::unique_ptr<MockCluster>> start(int brokers);
    ~MockCluster();

    /// @return false where the topic exists.
    [[nodiscard]] bool create_topic(const std::string& topic, int partitions);

    [[nodiscard]] std::string brokers() const;  ///< host:port,…
    void take_away();                           ///< refuses connections and drops those there are
    void bring_back();
    /// Answers the next produce requests with these errors (rd_kafka_resp_err_t), one each, then as usual.
    void fail_produce(const std::vector<int>& errors);

 private:
    struct Impl;
    explicit MockCluster(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace sluice::bridge::kafka
