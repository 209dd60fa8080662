#include "agent/events.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <utility>

namespace sluice::agent {

std::string_view to_string(LossCause cause) {
    switch (cause) {
        case LossCause::no_space:
            return "no-space";
        case LossCause::retention:
            return "retention";
        case LossCause::damage:
            return "damage";
        case LossCause::restart:
            return "restart";
        case LossCause::refused:
            return "refused";
        case LossCause::too_large:
            return "too-large";
        case LossCause::other:
            return "other";
    }
    return "other";
}

LossCause cause_of(std::string_view reason) {
    const auto has = [&](std::string_view text) { return reason.find(text) != std::string_view::npos; };
    if (reason.starts_with("no space")) return LossCause::no_space;
    if (reason.starts_with("retention")) return LossCause::retention;
    if (reason.starts_with("refused by Kafka")) return LossCause::refused;
    if (has("only its beginning is")) return LossCause::too_large;
    if (has("only in memory")) return LossCause::restart;
    if (has("damage") || has("missing") || has("log-id is lost")) return LossCause::damage;
    return LossCause::other;
}

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
    const bridge::ReportDetail detail(gap.first.value(), to_string(cause_of(gap.reason)));
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
    given_up_[static_cast<std::size_t>(cause_of(gap.reason))] +=
        static_cast<std::uint64_t>(std::max<std::int64_t>(0, gap.count.value_or(range)));
    waiting_.push_back({std::move(record), gap.told});
}

void Events::rules_gap(const std::string& stream, storage::Offset first, storage::Offset next) {
    report_(bridge::Severity::error, "rules",
            "stream " + stream + ": offsets " + std::to_string(first.value()) + " to " +
                std::to_string(next.value() - 1) + " were deleted before the rules had seen them");
    auto record = record_of({{"event", "rules-gap"},
                             {"stream", stream},
                             {"first_offset", first.value()},
                             {"next_offset", next.value()},
                             {"count", next - first},
                             {"reason", "deleted before the rules had seen it"}});
    const std::lock_guard lock(mutex_);
    waiting_.push_back({std::move(record), {}});
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

std::array<std::uint64_t, kLossCauses> Events::given_up() const {
    const std::lock_guard lock(mutex_);
    return given_up_;
}

std::uint64_t Events::gaps() const {
    const std::lock_guard lock(mutex_);
    return gaps_;
}

}  // namespace sluice::agent
