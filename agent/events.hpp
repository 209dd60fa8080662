// events.hpp: what the agent gave up or found, and when it could not send, as records of the stream sluice.events
// (delivery contract 7).
//
// Any thread may report; the supervisor appends. Reporting never blocks, so that the log thread itself can report.
// An event is JSON: {"event", "agent", "at", …}; docs/operations.md has their fields.
#pragma once

#include "bridge/kafka/forwarder.hpp"
#include "bridge/report.hpp"
#include "storage/clock.hpp"
#include "storage/gap.hpp"
#include "storage/group_commit.hpp"
#include "storage/log.hpp"

#include <nlohmann/json_fwd.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::agent {

/// What made the agent give records up, for a metric: few words, whatever the text of a gap says.
enum class LossCause : std::uint8_t { no_space, retention, damage, restart, refused, too_large, other };
inline constexpr std::size_t kLossCauses = 7;
/// "no-space", "retention" (before it was forwarded), "damage", "restart" (what was only in memory), "refused" (by
/// Kafka, with no room for a dead letter), "too-large" (a message that no record can hold), "other".
[[nodiscard]] std::string_view to_string(LossCause cause);
[[nodiscard]] LossCause cause_of(std::string_view reason);

class Events {
 public:
    Events(std::string agent_id, const storage::Clock& clock, bridge::Report report);

    /// Counts the gap, says it in the log once, and keeps it for flush().
    void gap(const storage::Gap& gap);
    /// Keeps the beginning or the end of an outage for flush().
    void outage(const bridge::kafka::OutageChange& change);
    /// Likewise, what the rules of a stream have not seen.
    void rules_gap(const std::string& stream, storage::Offset first, storage::Offset next);
    /// Appends what was reported since the last call. Called on the supervisor's thread.
    void flush(storage::GroupCommit& commit, storage::Log& stream);
    [[nodiscard]] std::uint64_t gaps() const;
    /// Records that were given up since the start; where nobody knows how many, as many as it may have been.
    [[nodiscard]] std::array<std::uint64_t, kLossCauses> given_up() const;

 private:
    struct Event {
        storage::Record record;
        std::function<void()> told;  // may be empty
    };
    /// @param json  without "agent" and "at"
    [[nodiscard]] storage::Record record_of(nlohmann::json json) const;

    const std::string agent_id_;
    const storage::Clock& clock_;
    const bridge::Report report_;
    mutable std::mutex mutex_;
    std::vector<Event> waiting_;
    std::uint64_t gaps_ = 0;
    std::array<std::uint64_t, kLossCauses> given_up_{};
};

}  // namespace sluice::agent
