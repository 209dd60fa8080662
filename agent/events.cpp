#include "agent/events.hpp"

#include <nlohmann/json.hpp>

#include <utility>

namespace sluice::agent {

Events::Events(std::string agent_id, const storage::Clock& clock, bridge::Report report)
    : agent_id_(std::move(agent_id)), clock_(clock), report_(std::move(report)) {}

void Events::gap(const storage::Gap& gap) {
    const auto range = gap.next - gap.first;
    const auto most = range > 0 ? "at most " + std::to_string(range) : std::string("an unknown number of");
    const auto count = gap.count ? std::to_string(*gap.count) : most;
    report_(bridge::Severity::error, "stream " + gap.stream,
            "gap: " + count + " records lost at offsets " + std::to_string(gap.first.value()) + " to " +
                std::to_string(std::max(gap.first, gap.next + -1).value()) + ": " + gap.reason);
    const auto now = clock_.now();
    const nlohmann::json event = {{"event", "gap"},
                                  {"agent", agent_id_},
                                  {"at", now.time_since_epoch().count()},
                                  {"stream", gap.stream},
                                  {"first_offset", gap.first.value()},
                                  {"next_offset", gap.next.value()},
                                  {"count", gap.count ? nlohmann::json(*gap.count) : nullptr},
                                  {"reason", gap.reason}};
    keep(event.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace), now, gap.told);
}

void Events::rules_gap(const std::string& stream, storage::Offset first, storage::Offset next) {
    report_(bridge::Severity::error, "rules",
            "stream " + stream + ": offsets " + std::to_string(first.value()) + " to " +
                std::to_string(next.value() - 1) + " were deleted before the rules had seen them");
    const auto now = clock_.now();
    const nlohmann::json event = {{"event", "rules-gap"},
                                  {"agent", agent_id_},
                                  {"at", now.time_since_epoch().count()},
                                  {"stream", stream},
                                  {"first_offset", first.value()},
                                  {"next_offset", next.value()},
                                  {"count", next - first},
                                  {"reason", "deleted before the rules had seen it"}};
    keep(event.dump(), now, {});
}

void Events::keep(std::string json, storage::Timestamp at, std::function<void()> told) {
    storage::Record record;
    record.key = agent_id_;
    record.value = std::move(json);
    record.timestamp = at;
    const std::lock_guard lock(mutex_);
    ++gaps_;
    waiting_.push_back({std::move(record), std::move(told)});
}

void Events::flush(storage::GroupCommit& commit, storage::Log& stream) {
    std::vector<Event> taken;
    {
        const std::lock_guard lock(mutex_);
        taken.swap(waiting_);
    }
    for (const auto& event : taken) {
        commit.append(stream, event.record, [this, told = event.told](const storage::Result<storage::Offset>& result) {
            if (result && told) told();
            if (!result) report_(bridge::Severity::error, "events", "event not kept: " + result.error().message());
        });
    }
}

std::uint64_t Events::gaps() const {
    const std::lock_guard lock(mutex_);
    return gaps_;
}

}  // namespace sluice::agent
