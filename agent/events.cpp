#include "agent/events.hpp"

#include <nlohmann/json.hpp>

#include <utility>

namespace sluice::agent {

Events::Events(std::string agent_id, const storage::Clock& clock, bridge::Report report)
    : agent_id_(std::move(agent_id)), clock_(clock), report_(std::move(report)) {}

storage::Record Events::record_of(nlohmann::json json) const {
    const auto now = clock_.now();
    json["agent"] = agent_id_;
    json["at"] = now.time_since_epoch().count();
    storage::Record record;
    record.key = agent_id_;
    record.value = json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    record.timestamp = now;
    return record;
}

void Events::outage(const bridge::kafka::OutageChange& change) {
    const auto& drain = change.drain_time;
    nlohmann::json event = {
        {"event", change.over ? "outage_end" : "outage_begin"},
        {"reason", change.outage.reason},
        {"backlog", change.backlog},
        {"arrival_per_s", change.arrival_per_s},
        {"drain_s", drain ? nlohmann::json(drain->count()) : nullptr},
    };
    if (change.over) event["lasted_ms"] = change.lasted.count();
    auto record = record_of(std::move(event));
    const std::lock_guard lock(mutex_);
    waiting_.push_back({std::move(record), {}});
}

void Events::gap(const storage::Gap& gap) {
    const auto range = gap.next - gap.first;
    const auto most = range > 0 ? "at most " + std::to_string(range) : std::string("an unknown number of");
    const auto count = gap.count ? std::to_string(*gap.count) : most;
    report_(bridge::Severity::error, "stream " + gap.stream,
            "gap: " + count + " records lost at offsets " + std::to_string(gap.first.value()) + " to " +
                std::to_string(std::max(gap.first, gap.next + -1).value()) + ": " + gap.reason);
    auto record = record_of({{"event", "gap"},
                             {"stream", gap.stream},
                             {"first_offset", gap.first.value()},
                             {"next_offset", gap.next.value()},
                             {"count", gap.count ? nlohmann::json(*gap.count) : nullptr},
                             {"reason", gap.reason}});
    const std::lock_guard lock(mutex_);
    ++gaps_;
    waiting_.push_back({std::move(record), gap.told});
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
