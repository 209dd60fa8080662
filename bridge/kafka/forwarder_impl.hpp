// forwarder_impl.hpp: the forward thread and what it owns. Included by bridge/kafka/forwarder*.cpp only:
//   forwarder.cpp               start, stop, cursors, status
//   forwarder_loop.cpp          send, hear what became of it, replace a producer that is spent
//   forwarder_backlog.cpp       rates, outages, status
//   forwarder_cursors.cpp       streams, their lanes and cursors
//   forwarder_uplink.cpp        rate, windows, pause
//   forwarder_transactions.cpp  what exactly-once adds to the loop
#pragma once

#include "bridge/kafka/cluster_state.hpp"
#include "bridge/kafka/fair_share.hpp"
#include "bridge/kafka/forward_stream.hpp"
#include "bridge/kafka/forwarder.hpp"
#include "bridge/kafka/pacing.hpp"
#include "bridge/kafka/set_asides.hpp"
#include "bridge/kafka/stream_lanes.hpp"
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
    [[nodiscard]] storage::Result<void> open_uplink();
    [[nodiscard]] storage::Result<void> pause(const std::string& why);
    [[nodiscard]] storage::Result<void> resume();
    [[nodiscard]] ForwarderStatus status() const;
    void renew();
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
    void on_delivery(void* tag, int error, storage::KafkaPlace place);
    void begin_renewal();
    void write_proofs();
    void remind();
    void look_for_silence();
    void rebuild(const std::string& why);
    void collect_answers(SteadyClock::time_point deadline);
    void look_after_lanes();
    [[nodiscard]] ForwardStream& add_lane(const StreamTarget& target, const storage::Log& log, storage::Offset from);
    void prove_lanes(std::size_t first);
    [[nodiscard]] storage::Result<void> store_progress(const std::vector<std::size_t>& which,
                                                       const std::vector<Progress>& progress);
    void store_cursors();
    [[nodiscard]] bool look_at_uplink();
    [[nodiscard]] std::size_t paced(std::size_t room);
    void on_wire_bytes(std::uint64_t total);
    void watch_backlog();
    void look_for_outage();
    void look_for_standstill(std::uint64_t backlog, SteadyClock::time_point now);
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
    std::vector<std::unique_ptr<StreamLanes>> lanes_;  // the streams; streams_ has a lane or two of each
    bool newest_first_due_ = true;                     // after an outage, and at the start
    std::vector<Progress> stored_;                     // of each stream, as the catalog has it
    SteadyClock::time_point next_store_{};
    FairShare share_;
    std::unique_ptr<Uplink> uplink_;
    std::optional<Pacer> pacer_;  // where there is a rate
    bool uplink_open_ = true;
    std::uint64_t wire_bytes_ = 0;  // of the producers before this one
    std::uint64_t wire_bytes_now_ = 0;
    int rebuilds_ = 0;    // since something was delivered
    bool spent_ = false;  // the producer has given back what was queued: it only waits for what is in flight
    std::optional<SteadyClock::time_point> renew_at_;  // whatever is in flight then
    bool refused_ = false;  // Kafka has refused a record since the producer was made: what turns it fatal is known
    ClusterState cluster_;
    TroubleReport catalog_trouble_;
    TroubleReport proof_trouble_;
    Backoff rebuild_backoff_;
    std::atomic<std::size_t> in_flight_bytes_{0};
    std::atomic<bool> renewal_asked_{false};
    std::atomic<std::uint64_t> producers_rebuilt_{0};
    std::atomic<SteadyClock::time_point> last_turn_{SteadyClock::now()};
    std::atomic<bool> stopping_{false};
    std::atomic<SteadyClock::time_point> stop_deadline_{SteadyClock::time_point::max()};
    SetAsides set_asides_;
    std::vector<std::shared_ptr<void>> subscriptions_;
    BacklogWatch backlog_;
    SteadyClock::time_point next_sample_{};
    SteadyClock::time_point outage_began_{};
    bool delivered_ = false;                              // something, since the last sample
    std::optional<SteadyClock::time_point> still_since_;  // a backlog waits and nothing is delivered
    mutable std::mutex outage_mutex_;
    std::optional<Outage> outage_;
    std::thread thread_;
};

}  // namespace sluice::bridge::kafka
