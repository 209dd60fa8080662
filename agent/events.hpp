// events.hpp: what the agent gave up or found, as records of the stream sluice.events (delivery contract 7).
//
// Any thread may report; the supervisor appends. Reporting never blocks, so that the log thread itself can report.
// An event is JSON: {"event", "agent", "at", …}.
#pragma once

#include "bridge/report.hpp"
#include "storage/clock.hpp"
#include "storage/gap.hpp"
#include "storage/group_commit.hpp"
#include "storage/log.hpp"

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

namespace sluice::agent {

class Events {
 public:
    Events(std::string agent_id, const storage::Clock& clock, bridge::Report report);

    /// Counts the gap, says it in the log once, and keeps it for flush().
    void gap(const storage::Gap& gap);
    /// Likewise, what the rules of a stream have not seen.
    void rules_gap(const std::string& stream, storage::Offset first, storage::Offset next);
    /// Appends what was reported since the last call. Called on the supervisor's thread.
    void flush(storage::GroupCommit& commit, storage::Log& stream);
    [[nodiscard]] std::uint64_t gaps() const;

 private:
    void keep(std::string json, storage::Timestamp at, std::function<void()> told);
    struct Event {
        storage::Record record;
        std::function<void()> told;  // may be empty
    };
    const std::string agent_id_;
    const storage::Clock& clock_;
    const bridge::Report report_;
    mutable std::mutex mutex_;
    std::vector<Event> waiting_;
    std::uint64_t gaps_ = 0;
};

}  // namespace sluice::agent
