// stream_lanes.hpp: a stream as a whole: one lane, or two with order = "live_first" (lane_book.hpp), and what they make
// together: one progress, one position, one status.
//
// When the newest are to overtake, the lane that has sent so far becomes the backlog's, with all that it has in flight,
// and the other one begins at the end of the log: nobody waits for anything.
// The forward thread; status() any.
#pragma once

#include "bridge/kafka/forward_stream.hpp"
#include "bridge/kafka/lane_book.hpp"

#include <array>
#include <cstddef>
#include <mutex>

namespace sluice::bridge::kafka {

class StreamLanes {
 public:
    /// A backlog of fewer records is not worth a second lane.
    static constexpr std::int64_t kLeastBacklog = 100;

    /// The lane at `index` of the forwarder's.
    StreamLanes(ForwardStream& only, std::size_t index, const Progress& start);
    /// With a second one, at index + 1.
    StreamLanes(ForwardStream& first, ForwardStream& second, std::size_t index, const Progress& start);

    [[nodiscard]] const StreamTarget& target() const { return lanes_[0]->target(); }
    [[nodiscard]] const storage::Log& log() const { return lanes_[0]->log(); }
    /// Where the log ended at the start: ForwardStream::end_at_start().
    [[nodiscard]] ForwardStream& first() { return *lanes_[0]; }

    /// What is in Kafka for good.
    [[nodiscard]] Progress finished() const;
    /// What a transaction that commits now has to say; when nothing is in flight.
    [[nodiscard]] Progress position() const;
    /// Sending goes on from there. When nothing is in flight.
    void restart_at(const Progress& progress);

    /// The newest records are to overtake what is left, where that is enough: after an outage, and at the start.
    void newest_first();
    /// Looks after what changes while records are sent. @return whether lanes have begun or ended
    bool look();

    struct Weight {
        std::size_t lane;  ///< of the forwarder's
        double weight;
    };
    /// How lanes share the uplink now.
    [[nodiscard]] std::vector<Weight> weights() const;

    [[nodiscard]] StreamStatus status() const;

 private:
    [[nodiscard]] bool has_two() const { return lanes_[1] != nullptr; }
    [[nodiscard]] ForwardStream& newest() const { return *lanes_[newest_]; }
    [[nodiscard]] ForwardStream& backlog() const { return *lanes_[1 - newest_]; }
    void arrange();
    [[nodiscard]] Progress progress(storage::Offset backlog, storage::Offset newest) const;

    const std::array<ForwardStream*, 2> lanes_;  // the second: nullptr where the order is "fifo"
    const std::size_t index_;
    std::size_t newest_ = 0;
    bool reopening_ = false;  // the newest lane finishes what it has sent
    bool changed_ = true;
    mutable std::mutex mutex_;  // guards what follows and newest_ against status(); written by the forward thread alone
    LaneBook book_;
    std::vector<OffsetRange> sent_before_;  // of one lane, whose order was another one before
};

}  // namespace sluice::bridge::kafka
