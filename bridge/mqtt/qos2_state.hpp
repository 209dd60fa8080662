// qos2_state.hpp: which QoS 2 messages were accepted and not yet released by their sender, across kill -9.
//
// Method B of MQTT 4.3.3: the packet identifier is remembered from PUBLISH to PUBREL, and a PUBLISH with a remembered
// one is not accepted again. Where it is kept:
//   - accepting: as an internal header of the record, so that both become durable in one batch;
//   - releasing: as a state record in the local stream sluice.inbound, durable before PUBCOMP goes out. Otherwise the
//     sender could use the identifier again, and its new message would be taken for the old one.
// A state record holds, for each source, the sequence number of its last durable accept and the identifiers that are
// not released; and for each stream the offset from which on newer accepts are found.
// Recovery: the last state record, and the headers from those offsets on whose sequence number is higher.
// Thread-safe. One accept at a time for each source.
#pragma once

#include "storage/group_commit.hpp"
#include "storage/log_dir.hpp"
#include "storage/record.hpp"
#include "storage/result.hpp"

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::bridge::mqtt {

/// The stream of the state records; never forwarded.
inline constexpr const char* kInboundStream = "sluice.inbound";

class Qos2State {
 public:
    /// Rebuilds the state from the logs, all of which must be open, and writes a first state record.
    [[nodiscard]] static storage::Result<std::unique_ptr<Qos2State>> recover(const storage::LogDir& logs,
                                                                             storage::GroupCommit& commit);

    [[nodiscard]] bool is_accepted(const std::string& source, std::uint16_t packet_id) const;
    [[nodiscard]] std::vector<std::uint16_t> unreleased(const std::string& source) const;
    [[nodiscard]] std::size_t unreleased_count(const std::string& source) const;

    /// Starts an accept: the returned header goes on the record that is then appended to `log`.
    [[nodiscard]] storage::Header begin_accept(const std::string& source, std::uint16_t packet_id,
                                               const storage::Log& log);
    /// The record is durable.
    void finish_accept(const std::string& source);

    /// PUBREL: on return the identifier is free, durably.
    [[nodiscard]] storage::Result<void> release(const std::string& source, std::uint16_t packet_id);
    /// The session is gone: all identifiers of the source are free, durably.
    [[nodiscard]] storage::Result<void> release_all(const std::string& source);

    /// Tells of records accepted by any source, so that the part of the logs that recovery reads stays short.
    void note_accepted_bytes(std::uint64_t bytes);
    /// Writes a state record and waits until it is durable.
    [[nodiscard]] storage::Result<void> checkpoint();

 private:
    struct Source {
        std::uint64_t sequence = 0;  // of the last durable accept
        std::set<std::uint16_t> unreleased;
    };
    struct Pending {
        std::uint64_t sequence;
        std::uint16_t packet_id;
        std::string stream;
        storage::Offset not_before;  // the record will be at this offset of the stream or later
    };

    Qos2State(const storage::LogDir& logs, storage::GroupCommit& commit, storage::Log& inbound);

    [[nodiscard]] storage::Result<std::map<std::string, storage::Offset>> read_last_state();
    [[nodiscard]] storage::Result<void> scan(const storage::Log& log, storage::Offset from,
                                             std::map<std::string, std::uint64_t>& newest);
    void apply(std::string_view accept_header, std::map<std::string, std::uint64_t>& newest);
    [[nodiscard]] std::string state_text() const;

    const storage::LogDir& logs_;
    storage::GroupCommit& commit_;
    storage::Log& inbound_;
    std::mutex write_mutex_;  // state records are queued in the order in which they were made
    mutable std::mutex mutex_;
    std::map<std::string, Source> sources_;
    std::map<std::string, Pending> pending_;
    std::uint64_t bytes_since_checkpoint_ = 0;
};

}  // namespace sluice::bridge::mqtt
