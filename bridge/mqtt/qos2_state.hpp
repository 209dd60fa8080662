// qos2_state.hpp: which QoS 2 messages were accepted and not yet released by their sender, across kill -9.
//
// Method B of MQTT 4.3.3: the packet identifier is remembered from PUBLISH to PUBREL, and a PUBLISH with a remembered
// one is not accepted again, if it is the same message: a sender that has lost its state, as a device that restarts or
// a broker that comes back from an old file, begins with identifiers that it never released, and what it sends is new.
// So a checksum of topic and payload is remembered too. Where it is kept:
//   - accepting: as an internal header of the record, so that both become durable in one batch;
//   - releasing: as a record in the local stream sluice.inbound, durable before PUBCOMP goes out. Otherwise the sender
//     could use the identifier again, and its new message would be taken for the old one.
// Accepts are numbered, over all sources. Now and then a state record in sluice.inbound says all at once: the last
// number that was given, which of them are not durable yet, the identifiers that are not released, and for each stream
// the offset from which on newer accepts are found.
// Recovery: the last state record, the headers from those offsets on that it does not cover, the releases after it.
// Thread-safe.
#pragma once

#include "bridge/message.hpp"
#include "storage/group_commit.hpp"
#include "storage/log_dir.hpp"
#include "storage/record.hpp"
#include "storage/result.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::bridge::mqtt {

/// The stream of the state records; never forwarded.
inline constexpr const char* kInboundStream = "sluice.inbound";

/// Of topic and payload; never 0.
[[nodiscard]] std::uint32_t checksum_of(const Message& message);

class Qos2State {
 public:
    /// Rebuilds the state from the logs, all of which must be open, and queues a first state record: it is not waited
    /// for, as a full disk may have no room for it before the forwarder runs.
    [[nodiscard]] static storage::Result<std::unique_ptr<Qos2State>> recover(const storage::LogDir& logs,
                                                                             storage::GroupCommit& commit);

    [[nodiscard]] bool is_accepted(const std::string& source, std::uint16_t packet_id) const;
    [[nodiscard]] std::vector<std::uint16_t> unreleased(const std::string& source) const;
    [[nodiscard]] std::size_t unreleased_count(const std::string& source) const;

    /// What is known of an identifier.
    enum class Known : std::uint8_t {
        free,   ///< nothing
        same,   ///< this message was accepted, or is about to be
        other,  ///< another message was, and its sender has never released it
    };
    /// @param content  as checksum_of() says
    [[nodiscard]] Known look_up(const std::string& source, std::uint16_t packet_id, std::uint32_t content) const;
    /// As look_up(). Where it is the same, `done` is called: at once, or when it is durable.
    [[nodiscard]] Known join_accept(const std::string& source, std::uint16_t packet_id, std::uint32_t content,
                                    storage::Completion done);
    struct Accept {
        std::uint64_t sequence;
        storage::Header header;  ///< goes on the record that is then appended to the log
    };
    [[nodiscard]] Accept begin_accept(const std::string& source, std::uint16_t packet_id, std::uint32_t content,
                                      storage::Log& log);
    /// The record is durable, or was refused for good.
    void finish_accept(const std::string& source, std::uint64_t sequence);

    /// PUBREL: when `done` is called the identifier is free, durably. @return whether it was in use
    bool release(const std::string& source, std::uint16_t packet_id, storage::Completion done);
    /// The session is gone: all identifiers of the source are free, durably.
    void release_all(const std::string& source, storage::Completion done);

    /// Tells of records accepted by any source, so that the part of the logs that recovery reads stays short.
    void note_accepted_bytes(std::uint64_t bytes);
    /// Writes a state record and waits until it is durable; not beyond the deadline, and not for space on the disk.
    [[nodiscard]] storage::Result<void> checkpoint(std::chrono::steady_clock::time_point deadline);
    /// Writes one, if anything was accepted since the last; waits for nothing.
    void checkpoint_soon();

 private:
    struct Pending {
        std::uint16_t packet_id;
        std::uint32_t content;
        storage::Log* log;
        storage::Offset not_before;                // the record will be at this offset of the log or later
        std::vector<storage::Completion> waiting;  // the same message came again
        bool abandoned = false;                    // the session ended meanwhile
    };
    struct Accepted {
        std::uint64_t sequence = 0;
        std::uint32_t content = 0;  // 0: an older version has not noted it
    };
    struct Source {
        std::map<std::uint16_t, Accepted> unreleased;  // durable accepts, by identifier
        std::map<std::uint64_t, Pending> pending;      // by sequence number
        int releasing = 0;                             // releases that are not durable yet
    };

    Qos2State(const storage::LogDir& logs, storage::GroupCommit& commit, storage::Log& inbound);

    /// What the stream sluice.inbound says.
    struct Recovered {
        std::set<std::uint64_t> pending;                // below sequence_, and not durable at the state record
        std::map<std::string, storage::Offset> starts;  // by "stream log-id"
        std::vector<std::string> releases;              // after the state record
    };
    [[nodiscard]] storage::Result<Recovered> read_inbound();
    [[nodiscard]] storage::Result<void> read_state(const std::string& text, Recovered& into);
    void read_contents(const std::string& text);
    [[nodiscard]] storage::Result<std::uint64_t> scan(const storage::Log& log, storage::Offset from,
                                                      const Recovered& recovered);
    [[nodiscard]] std::uint64_t apply(std::string_view accept_header, const Recovered& recovered);
    /// @return the sequence number that it names
    std::uint64_t apply_release(const std::string& text);
    /// Where recovery has to scan each log from.
    using Starts = std::vector<std::pair<storage::Log*, storage::Offset>>;
    [[nodiscard]] Starts scan_starts() const;
    [[nodiscard]] std::string state_text(const Starts& starts) const;
    [[nodiscard]] std::string contents_text() const;
    [[nodiscard]] static Known compare(const Accepted& accepted, std::uint32_t content);
    void begin_checkpoint(std::function<void(storage::Result<void>)> done);
    void write_release(const std::string& source, std::string text, storage::Completion done);
    void forget_if_idle(const std::string& source);

    const storage::LogDir& logs_;
    storage::GroupCommit& commit_;
    storage::Log& inbound_;
    std::mutex write_mutex_;  // records are queued in the order in which they were made
    mutable std::mutex mutex_;
    std::map<std::string, Source> sources_;
    std::uint64_t sequence_ = 0;  // the last that was given
    std::uint64_t bytes_since_checkpoint_ = 0;
};

}  // namespace sluice::bridge::mqtt
