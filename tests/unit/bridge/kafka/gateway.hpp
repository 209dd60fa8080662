// gateway.hpp: a forwarder, its log, and librdkafka's embedded cluster: real sockets and protocol, faults on command.
#pragma once

#include "bridge/kafka/forwarder.hpp"
#include "bridge/kafka/mock_cluster.hpp"
#include "bridge/kafka/topic_reader.hpp"
#include "storage/clock.hpp"
#include "tests/support/log_builder.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace sluice::test {

using namespace std::chrono_literals;
using bridge::kafka::Forwarder;
using bridge::kafka::MockCluster;
using bridge::kafka::TopicReader;
using storage::Offset;
using SteadyClock = std::chrono::steady_clock;

constexpr int kPartitions = 2;

/// A data directory with the stream "s", whose forwarder can be stopped, killed and started again.
class Gateway {
 public:
    Gateway() {
        options.brokers = cluster->brokers();
        options.agent_id = "test";
        options.partitions = kPartitions;
        options.retry_min = 50ms;
        options.retry_max = 200ms;
        options.cursor_interval = 50ms;
        options.properties = {{"reconnect.backoff.max.ms", "250"}, {"linger.ms", "1"}};
        REQUIRE(cluster->create_topic("t", kPartitions));
        logs = must(storage::LogDir::open(files, clock, dir / "data"));
        stream = must(logs->open_stream("s", {}));
        dead_letters = must(logs->open_stream("dead", {}));
        catalog = must(storage::Catalog::open(dir / "data/catalog.db"));
        commit =
            std::make_unique<storage::GroupCommit>(storage::GroupCommitOptions{}, storage::GroupCommit::Observer{});
        reader = must(TopicReader::open(cluster->brokers(), "t", kPartitions));
    }
    ~Gateway() {
        forwarder.reset();
        commit->stop();
    }
    Gateway(const Gateway&) = delete;
    Gateway& operator=(const Gateway&) = delete;

    void start() {
        forwarder =
            must(Forwarder::start(options, {target},
                                  {*logs,
                                   *commit,
                                   *catalog,
                                   "dead",
                                   [this](bridge::Severity severity, std::string_view, const std::string& text) {
                                       const std::lock_guard lock(mutex);
                                       if (severity >= bridge::Severity::warning) said.push_back(text);
                                   },
                                   {},
                                   [this](const std::string&) { fenced = true; },
                                   [this](const bridge::kafka::OutageChange& change) {
                                       const std::lock_guard lock(mutex);
                                       outages_.push_back(change);
                                   }}));
    }

    /// For tests that inject errors. The mock cluster takes a batch whose sequence leaves a hole, where Kafka answers
    /// OUT_OF_ORDER_SEQUENCE_NUMBER, and librdkafka rightly counts what would fill the hole as persisted then.
    void start_with_one_request_at_a_time() {
        options.properties["max.in.flight.requests.per.connection"] = "1";
        start();
    }

    /// Values "0", "1", …; the key decides the partition.
    void append(int count, std::size_t pad = 0) {
        std::vector<std::future<storage::Result<Offset>>> waiting;
        for (int i = 0; i < count; ++i, ++appended) {
            waiting.push_back(
                commit->append(*stream, test::record(std::to_string(appended) + " " + std::string(pad, 'x'),
                                                     "key-" + std::to_string(appended % 7))));
        }
        for (auto& one : waiting) must(one.get());
    }

    /// Reads until `count` different values have arrived, or patience ends.
    void read_until(std::size_t count, std::chrono::seconds patience = 20s) {
        const auto deadline = SteadyClock::now() + patience;
        while (arrivals.size() < count && SteadyClock::now() < deadline) read(100ms);
    }
    void read(std::chrono::milliseconds wait) {
        reader->poll(wait, [this](const bridge::kafka::ConsumedRecord& record) {
            const auto number = std::stoi(std::string(*record.value));
            if (arrivals[number]++ == 0) {
                auto& last = last_of_key[std::string(record.key.value_or(""))];
                if (number < last) in_order = false;
                last = number;
            }
        });
    }
    [[nodiscard]] int duplicates() const {
        int count = 0;
        for (const auto& [number, times] : arrivals) count += times - 1;
        return count;
    }
    template <class Holds>
    bool wait_until(Holds holds, std::chrono::seconds patience = 10s) {
        const auto deadline = SteadyClock::now() + patience;
        while (!holds()) {
            if (SteadyClock::now() > deadline) return false;
            std::this_thread::sleep_for(10ms);
        }
        return true;
    }
    [[nodiscard]] Offset cursor() const { return forwarder->status().streams.front().cursor; }
    [[nodiscard]] std::vector<bridge::kafka::OutageChange> outages() {
        const std::lock_guard lock(mutex);
        return outages_;
    }
    [[nodiscard]] std::size_t times_said(std::string_view what) {
        const std::lock_guard lock(mutex);
        return static_cast<std::size_t>(
            std::count_if(said.begin(), said.end(), [&](const auto& text) { return text.find(what) != text.npos; }));
    }

    std::unique_ptr<MockCluster> cluster = must(MockCluster::start(1));
    bridge::kafka::ClusterOptions options;
    bridge::kafka::StreamTarget target{"s", "t"};
    test::TempDir dir;
    storage::PosixFileSystem files;
    storage::SystemClock clock;
    std::unique_ptr<storage::LogDir> logs;
    storage::Log* stream = nullptr;
    storage::Log* dead_letters = nullptr;
    std::unique_ptr<storage::Catalog> catalog;
    std::unique_ptr<storage::GroupCommit> commit;
    std::unique_ptr<Forwarder> forwarder;
    std::unique_ptr<TopicReader> reader;
    std::mutex mutex;
    std::vector<std::string> said;
    std::vector<bridge::kafka::OutageChange> outages_;
    int appended = 0;
    std::map<int, int> arrivals;
    std::map<std::string, int> last_of_key;
    bool in_order = true;
    std::atomic<bool> fenced{false};
};

}  // namespace sluice::test
