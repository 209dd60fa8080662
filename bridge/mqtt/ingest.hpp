// ingest.hpp: from a message to an accepted record. All sources share one.
//
// Delivery contract 1: a message is accepted when its record is in the log and durable as its stream says. Two ways:
//   - accept() is for a source with a thread of its own: it returns then. Where it can't be (the log failed, or is
//     closed), it never returns: the caller would acknowledge what is not kept. The agent is about to end then.
//   - try_accept() (acceptor.hpp) is for a thread that serves many: it blocks never, and says so later.
#pragma once

#include "bridge/device_registry.hpp"
#include "bridge/message.hpp"
#include "bridge/mqtt/acceptor.hpp"
#include "bridge/mqtt/qos2_state.hpp"
#include "bridge/report.hpp"
#include "bridge/route/topic_map.hpp"
#include "storage/clock.hpp"
#include "storage/duration_histogram.hpp"
#include "storage/group_commit.hpp"
#include "storage/log_dir.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>

namespace sluice::bridge::mqtt {

/// Thread-safe.
class Ingest final : public Acceptor {
 public:
    struct Counters {
        std::uint64_t received = 0;       ///< messages that arrived, duplicates of QoS 2 not counted
        std::uint64_t accepted = 0;       ///< … and are in the log
        std::uint64_t duplicates = 0;     ///< QoS 2 messages that had been accepted before
        std::uint64_t dead_lettered = 0;  ///< accepted, into the dead-letter stream
        std::uint64_t refused = 0;        ///< too large for the log, even shortened: acknowledged, reported and lost
    };

    Ingest(TopicMap routes, storage::LogDir& logs, storage::GroupCommit& commit, Qos2State& qos2,
           const std::string& dead_letter_stream, const storage::Clock& clock, Report report);

    /// @param packet_id  of a QoS 2 message; it is accepted once from PUBLISH to PUBREL
    void accept(const std::string& source, Message message, std::optional<std::uint16_t> packet_id);
    /// A QoS 2 message has been released by its sender; returns when that is durable, or never.
    void release(const std::string& source, std::uint16_t packet_id);
    /// The session of the source is gone, and with it the meaning of its packet identifiers.
    void release_all(const std::string& source);
    [[nodiscard]] bool is_accepted(const std::string& source, std::uint16_t packet_id) const;
    [[nodiscard]] std::vector<std::uint16_t> unreleased(const std::string& source) const;

    Taken try_accept(const std::string& source, const Message& message, std::optional<std::uint16_t> packet_id,
                     storage::Completion done) override;
    bool release(const std::string& source, std::uint16_t packet_id, storage::Completion done) override;
    void release_all(const std::string& source, storage::Completion done) override;

    /// Told of every message that a route takes. Before the first one; it outlives this.
    void set_devices(DeviceRegistry& devices) { devices_ = &devices; }
    /// For messages that come from now on. Every stream that they name must be open.
    void replace_routes(TopicMap routes);

    [[nodiscard]] Counters counters() const;
    /// How long accept() took: what a source's broker waits for its acknowledgement.
    [[nodiscard]] const storage::DurationHistogram& latency() const { return latency_; }
    /// How many callers are inside of accept() or release() now.
    [[nodiscard]] int waiting() const { return waiting_; }

 private:
    struct Prepared {
        storage::Log* log;
        storage::Record record;
        storage::Timestamp arrived;
        std::optional<storage::Gap> gap;  ///< of what is not kept whole
    };
    [[nodiscard]] Prepared prepare(Message message) const;
    /// A message that is about to be appended.
    void count(const Prepared& prepared);
    /// What is to be done when the record is durable or refused, for the message's source.
    void finish(const std::string& source, const std::string& topic, const storage::Result<storage::Offset>& result);
    void tell_of_reuse(const std::string& source, std::uint16_t packet_id);
    void warn_of_flood(const std::string& source);

    [[nodiscard]] std::shared_ptr<const TopicMap> routes() const;

    DeviceRegistry* devices_ = nullptr;
    mutable std::mutex routes_mutex_;
    std::shared_ptr<const TopicMap> routes_;
    storage::LogDir& logs_;
    storage::GroupCommit& commit_;
    Qos2State& qos2_;
    storage::Log& dead_letters_;
    const storage::Clock& clock_;
    const Report report_;
    std::atomic<std::uint64_t> received_{0};
    std::atomic<std::uint64_t> accepted_{0};
    std::atomic<std::uint64_t> duplicates_{0};
    std::atomic<std::uint64_t> dead_lettered_{0};
    std::atomic<std::uint64_t> refused_{0};
    std::atomic<int> waiting_{0};
    storage::DurationHistogram latency_;
    std::mutex told_mutex_;
    std::set<std::string> flooded_;  // sources whose flood was said
    std::set<std::string> reusing_;  // … whose use of an identifier again was
};

}  // namespace sluice::bridge::mqtt
