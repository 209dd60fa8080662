// forward_stream.hpp: one stream, or a lane of it (stream_lanes.hpp), on its way to its topic: what to send next, and
// what an answer means for it.
//
// Owned and used by the forward thread; status() by any.
#pragma once

#include "bridge/backoff.hpp"
#include "bridge/kafka/forwarder.hpp"
#include "bridge/kafka/in_doubt.hpp"
#include "bridge/kafka/producer.hpp"
#include "bridge/kafka/progress.hpp"
#include "bridge/kafka/stream_window.hpp"
#include "storage/delivery_ledger.hpp"
#include "storage/log_reader.hpp"

#include <atomic>
#include <map>
#include <mutex>

namespace sluice::bridge::kafka {

/// "live" or "backlog"; of every record of a stream with order = "live_first".
inline constexpr std::string_view kLaneHeader = "sluice-lane";

class ForwardStream {
 public:
    using TimePoint = std::chrono::steady_clock::time_point;
    /// Keeps a refused record as a dead letter; finish_set_aside() is to be called with `offset` when it is there.
    using SetAside = std::function<void(storage::Offset offset, std::string why)>;

    ForwardStream(StreamTarget target, const storage::Log& log, storage::Offset cursor, std::uint32_t index,
                  const ClusterOptions& options, const Report& report, SetAside set_aside);

    /// What of the stream it sends.
    struct Lane {
        enum class Name : std::uint8_t {
            plain,    ///< all of it
            live,     ///< the newest; records have the header kLaneHeader
            backlog,  ///< what the newest have overtaken; likewise
            idle,     ///< nothing
        };
        Name name = Name::plain;
        std::optional<storage::Offset> end;  ///< nothing from here on
        std::vector<OffsetRange> leave_out;
    };
    void set_lane(Lane lane) { lane_ = std::move(lane); }
    /// Whether all that was sent is finished.
    [[nodiscard]] bool is_at_rest() const {
        return window_.in_flight() == 0 && !window_.failed() && position() == finished();
    }

    /// The first record that is not in Kafka for good: what may be stored as a cursor.
    [[nodiscard]] storage::Offset finished() const { return transactional_ ? committed_ : window_.cursor(); }

    /// Where records went is written there, under the number `stream`. Before anything is sent; it outlives this.
    void prove_in(storage::DeliveryLedger& proofs, std::size_t stream);

    // With origin_headers, at-least-once (in_doubt.hpp).
    /// What was sent and not answered may be in Kafka: nothing is sent until settle_doubt() has found out.
    void doubt() { in_doubt_ = origin_ && !transactional_; }
    /// Finds out, where that is due and can be. Waits for some ten seconds at most, less once `stopping` is set.
    void settle_doubt(const std::atomic<bool>& stopping);

    // Exactly-once (transactions.hpp); when nothing is in flight.
    /// What a transaction that commits now has to say of this stream: everything before is in it, or was before.
    [[nodiscard]] storage::Offset position() const { return window_.sent_to(); }
    /// Whether dead letters are on their way that have to be durable before the position passes their records.
    [[nodiscard]] bool waits_for_dead_letters() const;
    /// Whether records wait that could be sent now.
    [[nodiscard]] bool has_more() const;
    void committed();
    /// Everything since the last commit is sent again.
    void aborted() { restart_at(committed_); }
    /// Sending goes on from `offset`, before which all is in Kafka.
    void restart_at(storage::Offset offset);

    /// Where the log ended when the agent started, of all starts since Kafka was asked for the position; nullopt: it
    /// was asked. A position beyond it counts records that the log has lost, and whose offsets others get.
    [[nodiscard]] std::optional<storage::Offset> end_at_start() const { return end_at_start_; }
    void set_end_at_start(std::optional<storage::Offset> end) { end_at_start_ = end; }

    [[nodiscard]] const StreamTarget& target() const { return target_; }
    [[nodiscard]] const storage::Log& log() const { return log_; }
    [[nodiscard]] StreamWindow& window() { return window_; }
    [[nodiscard]] const StreamWindow& window() const { return window_; }
    /// When check() has to be called again; nullopt: the stream is not held.
    [[nodiscard]] std::optional<TimePoint> retry_at() const { return retry_at_; }

    /// Looks after the topic when that is due, before the first record and while the stream is held.
    /// @param stopping  ends the wait for an answer
    /// @return what the cluster said, or nullopt where nothing was due
    [[nodiscard]] std::optional<TopicState> check(Producer& producer, TimePoint now, const std::atomic<bool>& stopping);
    /// Sends what may be sent, of a few batches of the log at most, so that other streams and answers have their turn.
    /// @param room  bytes that may go in flight besides what is
    /// @return whether anything was done
    [[nodiscard]] bool send_some(Producer& producer, std::size_t room, bool nothing_in_flight, TimePoint now);
    /// @param place  of a record that was delivered
    void delivered(StreamWindow::Entry& entry, int error_code, storage::KafkaPlace place, TimePoint now);
    /// Since when the cluster owes an answer; nullopt: nothing is in flight.
    [[nodiscard]] std::optional<TimePoint> waiting_since() const;
    /// Sends nothing until check() finds the topic well.
    void hold(const std::string& why, TimePoint now);
    void finish_set_aside(storage::Offset offset);
    [[nodiscard]] StreamStatus status() const;

 private:
    enum class Step : std::uint8_t { sent, skipped, stop };

    [[nodiscard]] bool have_record(TimePoint now);
    [[nodiscard]] bool read_batch(TimePoint now);
    [[nodiscard]] bool may_send(storage::Offset offset) const;
    [[nodiscard]] const OffsetRange* left_out(storage::Offset offset) const;
    [[nodiscard]] storage::Offset end() const;
    [[nodiscard]] storage::RecordView labelled(const storage::RecordView& record);
    /// @return how many records were sent or skipped; the rest of the batch may not be sent now
    [[nodiscard]] std::size_t send_batch(Producer& producer, std::size_t room, bool nothing_in_flight, TimePoint now);
    [[nodiscard]] bool is_there_already(const storage::RecordView& record);
    [[nodiscard]] Sent hand_over(Producer& producer, const storage::RecordView& record, StreamWindow::Entry& entry);
    [[nodiscard]] Step send_one(Producer& producer, const storage::RecordView& record, TimePoint now);
    void put_aside(storage::Offset offset, std::string why);
    void release(TimePoint now);
    void count_forwarded(std::uint64_t records, std::uint64_t bytes);

    const StreamTarget target_;
    const storage::Log& log_;
    const ClusterOptions& options_;
    const Report report_;
    const SetAside set_aside_;
    const bool transactional_;
    Lane lane_;
    std::vector<storage::HeaderView> headers_;  // of the record that is being sent
    StreamWindow window_;
    std::optional<OriginHeader> origin_;
    bool in_doubt_ = false;
    InKafkaAlready there_;                                // what was in doubt and has arrived
    std::map<std::int32_t, std::int64_t> last_finished_;  // by partition, with origin_headers: the offset in Kafka
    storage::DeliveryLedger* proofs_ = nullptr;
    std::size_t proofs_number_ = 0;
    storage::Offset committed_;                  // exactly-once
    std::map<storage::Offset, bool> put_aside_;  // exactly-once, not before committed_: whether the letter is kept
    std::uint64_t records_in_transaction_ = 0;   // acknowledged
    std::uint64_t bytes_in_transaction_ = 0;
    std::optional<storage::Offset> end_at_start_;
    storage::LogReader reader_;
    std::optional<storage::DecodedBatch> batch_;  // being sent, from next_record_ on
    std::size_t next_record_ = 0;
    bool checked_ = false;
    std::optional<TimePoint> retry_at_ = TimePoint::min();  // the first check is due at once
    TimePoint last_answer_{};                               // or when something was sent while nothing was in flight
    Backoff backoff_;
    TroubleReport trouble_;

    std::atomic<std::int64_t> cursor_;
    std::atomic<std::uint64_t> forwarded_{0};
    std::atomic<std::uint64_t> forwarded_bytes_{0};
    std::atomic<std::uint64_t> dead_lettered_{0};
    storage::DurationHistogram delay_;
    mutable std::mutex held_mutex_;
    std::optional<std::string> held_;
};

}  // namespace sluice::bridge::kafka
