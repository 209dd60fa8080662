// why_answer.hpp: what became of a record, from what a data directory tells: its log, the proofs of delivery, the
// events and the dead letters. An agent may be running: nothing is locked or changed.
#pragma once

#include "agent/log/files.hpp"
#include "storage/delivery_search.hpp"
#include "storage/file_system.hpp"
#include "storage/result.hpp"
#include "storage/types.hpp"

#include <memory>
#include <optional>
#include <string>

namespace sluice::agent {

enum class Fate : std::uint8_t {
    delivered,      ///< places
    forwarded,      ///< … but the place isn't known
    waiting,        ///< in the log, and not in Kafka yet
    dead_lettered,  ///< letter
    given_up,       ///< reason
    compacted,      ///< newer records of its key have taken its place
    deleted,        ///< retention took it, and whether it was forwarded isn't known
    not_there_yet,  ///< the log ends before it
};

struct WhyAnswer {
    std::string stream;
    storage::Offset offset;
    std::optional<storage::LogId> log_id;
    storage::Offset start, end;  ///< of the log
    Fate fate = Fate::not_there_yet;
    std::optional<storage::Record> record;  ///< where the log still has it
    std::vector<storage::Delivered> places;
    std::optional<storage::Delivered> unconfirmed;  ///< waiting: it is in a transaction that may not be committed
    std::string reason;                             ///< given_up, dead_lettered
    std::optional<storage::Timestamp> at;           ///< … when
    std::unique_ptr<WhyAnswer> letter;              ///< dead_lettered: what became of the dead letter
    bool agent_runs = false;
    bool forwards = false;                  ///< somebody forwards this stream
    std::optional<storage::Offset> cursor;  ///< of the forwarder
    std::optional<storage::Waiting> stream_state, cluster_state;
};

/// @param stream  as find_streams() found it
[[nodiscard]] storage::Result<WhyAnswer> why(storage::FileSystem& files, const std::string& data_dir,
                                             const StreamFiles& stream, storage::Offset offset);

/// Whether an agent holds the directory's lock. Takes no lock, not for a moment.
[[nodiscard]] bool is_agent_running(storage::FileSystem& files, const std::string& data_dir);

}  // namespace sluice::agent
