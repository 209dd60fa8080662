// forwarder_impl.hpp: the forward thread and what it owns. Included by bridge/kafka/forwarder*.cpp only:
//   forwarder.cpp               start, stop, cursors, status
//   forwarder_loop.cpp          send, hear what became of it, replace a producer that is spent
//   forwarder_transactions.cpp  what exactly-once adds to the loop
#pragma once

#include "bridge/kafka/cluster_state.hpp"
#include "bridge/kafka/forward_stream.hpp"
#include "bridge/kafka/forwarder.hpp"
#include "bridge/kafka/set_asides.hpp"
#include "bridge/kafka/transactions.hpp"

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace sluice::bridge::kafka {

class Forwarder::Impl {
 public:
    using SteadyClock = std::chrono::steady_clock;

    Impl(ClusterOptions options, Parts parts);

    /// A new producer of the kind that the delivery needs takes the place of the one before.
    [[nodiscard]] storage::Result<void> make_producer();

    [[nodiscard]] storage::Result<void> add(StreamTarget target);
    void run();
    void stop(SteadyClock::time_point deadline);
    [[nodiscard]] ForwarderStatus status() const;
    void launch();

 private:
    [[nodiscard]] bool step();
    [[nodiscard]] bool take_turn();
    [[nodiscard]] bool forget_ends_at_start();
    void finish_transaction();
    [[nodiscard]] std::size_t in_flight_bytes();
    [[nodiscard]] bool anything_in_flight();
    [[nodiscard]] std::chrono::milliseconds idle_wait() const;
    void serve_set_asides();
    void on_delivery(void* tag, int error);
    void remind();
    void look_for_silence();
    void rebuild(const std::string& why);
    void collect_answers(SteadyClock::time_point deadline);
    void store_cursors();
    void wake();

    const ClusterOptions options_;
    const Parts parts_;
    std::mutex producer_mutex_;  // guards the pointer against wake() from other threads
    std::unique_ptr<Producer> producer_;
    TransactionalProducer* transactional_ = nullptr;  // the same, with exactly-once
    ProducerEvents events_;
    std::vector<std::unique_ptr<ForwardStream>> streams_;
    std::optional<Transactions> transactions_;  // with exactly-once
    bool fenced_ = false;
    std::vector<storage::Offset> stored_;  // the cursor of each stream as the catalog has it
    SteadyClock::time_point next_store_{};
    std::size_t first_in_turn_ = 0;
    int rebuilds_ = 0;      // since something was delivered
    bool spent_ = false;    // the producer has given back what was queued: it only waits for what is in flight
    bool refused_ = false;  // Kafka has refused a record since the producer was made: what turns it fatal is known
    ClusterState cluster_;
    TroubleReport catalog_trouble_;
    Backoff rebuild_backoff_;
    std::atomic<std::size_t> in_flight_bytes_{0};
    std::atomic<bool> stopping_{false};
    std::atomic<SteadyClock::time_point> stop_deadline_{SteadyClock::time_point::max()};
    SetAsides set_asides_;
    std::vector<std::shared_ptr<void>> subscriptions_;
    std::thread thread_;
};

}  // namespace sluice::bridge::kafka
