// stream_window.hpp: the records of one stream between its cursor and the last one that was sent.
//
// Invariants
//   - entries are in offset order; the cursor is before the first entry that is not finished.
//   - after a failure nothing is sent until nothing is in flight; then the failed records go first, in order, and
//     those that were acknowledged meanwhile are left out. So no record overtakes another one of its key: a record
//     that was acknowledged beside a failed one was in another partition, or the gapless producer would be fatal.
//   - a record that Kafka refuses fails its whole batch. It is found by halving: the failed records are sent again in
//     groups of half the number, until one fails alone.
// One thread. No I/O and no client library: the forwarder moves the records.
#pragma once

#include "bridge/kafka/error_class.hpp"
#include "storage/delivery_block.hpp"
#include "storage/types.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>

namespace sluice::bridge::kafka {

class StreamWindow {
 public:
    using Offset = storage::Offset;

    enum class State : std::uint8_t { in_flight, finished, failed, setting_aside };

    struct Entry {
        Offset offset;
        std::uint32_t stream;  ///< an entry's address is its tag at the producer: it has to lead back to its stream
        std::uint32_t bytes;   ///< what it takes in flight
        State state;
        std::uint32_t payload_bytes = 0;  ///< its key, value and headers
        storage::Timestamp timestamp{};   ///< the record's
        storage::KafkaPlace place = {};   ///< once finished, where Kafka said so
    };
    /// Told of each record that is finished, in the order of their offsets; of what has no place too.
    using OnFinished = std::function<void(const Entry&)>;

    /// @param transactional  a group has passed what it was made small for when committed() says so, not when it
    /// arrived
    StreamWindow(Offset cursor, std::uint32_t stream, bool transactional = false)
        : stream_(stream), transactional_(transactional), cursor_(cursor), next_new_(cursor) {}
    void on_finished(OnFinished told) { on_finished_ = std::move(told); }
    StreamWindow(const StreamWindow&) = delete;
    StreamWindow& operator=(const StreamWindow&) = delete;

    /// The first offset that is not finished: what may be stored.
    [[nodiscard]] Offset cursor() const { return cursor_; }
    [[nodiscard]] std::size_t in_flight() const { return in_flight_; }
    [[nodiscard]] std::size_t in_flight_bytes() const { return in_flight_bytes_; }
    /// Whether a failure waits for the rest to come back.
    [[nodiscard]] bool failed() const { return failed_; }
    /// Whether one more record may be sent now.
    [[nodiscard]] bool may_send() const;

    /// What to do with the record at `offset`, which the reader gave next.
    enum class Next : std::uint8_t {
        send,  ///< begin() it
        skip,  ///< it is finished, or being set aside: from before a rewind
    };
    [[nodiscard]] Next next(Offset offset);
    /// The record is about to be handed to the producer. The entry stays where it is until it is finished.
    [[nodiscard]] Entry& begin(Offset offset, std::uint32_t bytes);
    /// The producer did not take it after all.
    void undo(Entry& entry);
    /// The record can never be sent: it goes to the dead letters, and counts as finished when it is there.
    void set_aside(Entry& entry);

    /// A delivery report.
    /// @return true where the record is to be set aside: it failed alone, by its own fault
    [[nodiscard]] bool delivered(Entry& entry, ErrorClass result);
    /// The dead letter is kept.
    void finish_set_aside(Offset offset);
    /// No more reports will come for what is in flight: it counts as given back.
    void give_up_in_flight();

    /// After a failure, when nothing is in flight: sending goes on from the cursor.
    /// @return where the reader has to go on
    [[nodiscard]] Offset rewind();
    /// Nothing from `offset` on counts as sent, whatever was acknowledged: its transaction was aborted. When nothing is
    /// in flight.
    void restart_at(Offset offset);
    /// What was sent is committed.
    void committed() { grow(); }
    /// What was never sent begins here.
    [[nodiscard]] Offset sent_to() const { return next_new_; }
    /// Whether less is sent at a time than there is room for, to find a record that is refused.
    [[nodiscard]] bool narrow() const { return group_.has_value(); }
    /// Records up to `offset`, not included, are not there (a gap): the cursor may pass them.
    void skip_to(Offset offset);
    /// Sends the next record alone, and the ones after it only when it has arrived.
    void probe() { group_ = 1; }

 private:
    [[nodiscard]] Entry* find(Offset offset);
    void left_flight(const Entry& entry);
    void advance();
    void grow();

    const std::uint32_t stream_;
    const bool transactional_;
    OnFinished on_finished_;
    Offset cursor_;
    std::deque<Entry> entries_;  // references to elements stay valid while it grows and shrinks at its ends
    Offset next_new_;            // offsets from here on were never sent
    std::size_t in_flight_ = 0;
    std::size_t in_flight_bytes_ = 0;
    bool failed_ = false;
    std::size_t failed_by_record_ = 0;  // how many came back with an error of a record since the last rewind
    std::optional<std::size_t> group_;  // how many may be in flight; nullopt: as many as fit
    std::size_t group_sent_ = 0;        // of the present group
};

}  // namespace sluice::bridge::kafka
