// position.hpp: how far each stream has come, as it is stored in Kafka, inside the same transaction as the records.
//
// A position is a record of a compacted topic: it never expires, as the offsets of an idle consumer group do. Its key
// is agent id, stream and log id, so that a position of a wiped or swapped disk is never applied to another log. One
// more record an agent, the claim, names the process that used the transactional id last: a producer that was fenced
// finds there whether another agent has the same id, or only the coordinator had lost patience.
// Formats: docs/exactly-once.md.
#pragma once

#include "bridge/kafka/options.hpp"
#include "bridge/kafka/progress.hpp"
#include "bridge/report.hpp"
#include "storage/result.hpp"
#include "storage/types.hpp"

#include <atomic>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::bridge::kafka {

struct Claim {
    std::string instance;  ///< a UUID of the process
    std::string host;
    friend bool operator==(const Claim&, const Claim&) = default;
};

struct Positions {
    std::map<std::string, Progress> of;  ///< by position_key(): what is in Kafka
    std::optional<Claim> claim;
};

[[nodiscard]] std::string position_key(const std::string& agent_id, const std::string& stream,
                                       const storage::LogId& log_id);
[[nodiscard]] std::string position_value(const Progress& progress);
[[nodiscard]] std::optional<Progress> parse_position(std::string_view value);
[[nodiscard]] std::string claim_value(const Claim& claim);
[[nodiscard]] std::optional<Claim> parse_claim(std::string_view value);

/// What is committed of this agent, of all the topic holds at the time of the call. To be read after the transactions
/// of this transactional id have ended (initialize()); waits for those of others that stand before the topic's end.
/// @return what can't be read and why, for a person; also where it takes longer than `patience`, or `stopping` is set
[[nodiscard]] storage::Result<Positions> read_positions(const ClusterOptions& options,
                                                        std::chrono::milliseconds patience,
                                                        const std::atomic<bool>& stopping);

}  // namespace sluice::bridge::kafka
