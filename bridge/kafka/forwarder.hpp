// forwarder.hpp: the `forward` thread: reads the streams from their cursors, sends, and moves the cursors.
//
// Invariants
//   - a cursor moves only past records that Kafka has acknowledged (acks=all), or that are kept as dead letters; with
//   exactly-once delivery, when the transaction is committed (transactions.hpp).
//   - at most options.inflight_bytes are handed over and unanswered, whatever the backlog; one larger record goes
//   alone.
//   - the records of one key keep their order through every retry, rewind and restart (stream_window.hpp).
//   - while the cluster is away nothing spins: the thread wakes once a second at most.
#pragma once

#include "bridge/kafka/backlog.hpp"
#include "bridge/kafka/options.hpp"
#include "bridge/link_state.hpp"
#include "bridge/report.hpp"
#include "storage/catalog.hpp"
#include "storage/delivery_ledger.hpp"
#include "storage/duration_histogram.hpp"
#include "storage/group_commit.hpp"
#include "storage/log_dir.hpp"
#include "storage/result.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::bridge::kafka {

/// The name of the forwarder's cursors in the catalog.
inline constexpr std::string_view kForwardReader = "forward";

/// order = "live_first", while the newest records overtake a backlog.
struct BehindStatus {
    std::uint64_t records = 0;    ///< of the backlog, that the newest have overtaken
    storage::Offset live_cursor;  ///< up to where the newest are in Kafka
};

struct StreamStatus {
    std::string stream;
    storage::Offset cursor;       ///< the first record that is not finished
    std::uint64_t backlog = 0;    ///< offsets between the cursor and the high watermark
    std::uint64_t forwarded = 0;  ///< records acknowledged since the start
    std::uint64_t forwarded_bytes = 0;
    std::uint64_t dead_lettered = 0;              ///< records put aside since the start
    storage::DurationHistogram::Reading delay{};  ///< from a record's timestamp to Kafka's acknowledgement of it
    std::optional<std::string> held;              ///< why the stream waits for somebody to mend something
    std::optional<BehindStatus> behind;           ///< nullopt: the records go in their order
    BacklogRates rates;                           ///< as of the last second
};

/// The cluster can't be reached, or refuses us, so that nothing can be sent. It begins when it is said in the log, a
/// second after the last broker was lost.
struct Outage {
    std::chrono::system_clock::time_point since;
    std::string reason;  ///< for people
};

/// An outage begins or ends.
struct OutageChange {
    Outage outage;
    bool over = false;
    std::chrono::milliseconds lasted{0};  ///< where it is over
    std::uint64_t backlog = 0;            ///< records of all streams that wait now
    double arrival_per_s = 0;             ///< records
    /// Until the backlog is gone, if the uplink takes what it has taken before; nullopt: never, or it was not seen yet.
    std::optional<Seconds> drain_time;
};

struct ForwarderStatus {
    bool connected = false;                    ///< the cluster answered last time
    LinkState::Reading link{};                 ///< since when, and why not
    std::uint64_t producers_rebuilt = 0;       ///< since the start
    std::uint64_t transactions_committed = 0;  ///< exactly-once
    std::uint64_t transactions_aborted = 0;
    std::chrono::steady_clock::time_point last_turn{};  ///< when the thread last came round: it is alive
    std::size_t in_flight_bytes = 0;
    std::uint64_t backlog = 0;     ///< records of all streams that Kafka doesn't have yet
    BacklogRates rates;            ///< of all streams together, as of the last second
    std::optional<Outage> outage;  ///< nullopt: there is none
    UplinkStatus uplink;           ///< whether anything may be sent now, and why not
    std::vector<StreamStatus> streams;
};

class Forwarder {
 public:
    struct Parts {
        storage::LogDir& logs;
        storage::GroupCommit& commit;
        storage::Catalog& catalog;
        std::string dead_letter_stream;
        Report report;
        /// Called on the forward thread after a stream's cursor became durable: what is below may be deleted.
        std::function<void(const std::string& stream, storage::Offset cursor)> on_cursor;
        /// Exactly-once: another agent has our id. Nothing is sent any more; called once, on the forward thread.
        std::function<void(const std::string& why)> on_fenced;
        /// An outage begins or ends; called on the forward thread. It must not block.
        std::function<void(const OutageChange&)> on_outage = {};
        /// Where records went is written there, on the forward thread; nullptr: nowhere. It outlives the forwarder.
        storage::DeliveryLedger* proofs = nullptr;
    };

    /// Reads the cursors and starts the thread; doesn't wait for the cluster. The streams must be open.
    /// @return Errc::rejected for a wrong property, or the catalog's error
    [[nodiscard]] static storage::Result<std::unique_ptr<Forwarder>> start(ClusterOptions options,
                                                                           std::vector<StreamTarget> targets,
                                                                           Parts parts);
    ~Forwarder();  ///< as stop() with no patience

    /// Sends nothing new, waits until what is in flight is answered or `deadline` is reached, stores the cursors.
    void stop(std::chrono::steady_clock::time_point deadline);

    /// A new producer takes the place of the present one, once what is in flight is answered: it reads the files that
    /// the properties name (certificates, keys) again. Returns at once. Thread-safe.
    void renew();
    /// Nothing is sent until resume(), over restarts too; what is in flight ends, a transaction is closed. Records are
    /// kept. On return it is durable. Thread-safe. @return the catalog's error: nothing has changed
    [[nodiscard]] storage::Result<void> pause(const std::string& why);
    [[nodiscard]] storage::Result<void> resume();

    /// Thread-safe.
    [[nodiscard]] ForwarderStatus status() const;

 private:
    class Impl;
    explicit Forwarder(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace sluice::bridge::kafka
