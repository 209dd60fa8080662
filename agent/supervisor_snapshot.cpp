// What others ask of the running parts. Any thread; nothing here waits for a peer.
#include "agent/supervisor.hpp"

#include <algorithm>
#include <utility>
#include <variant>
#include <vector>

namespace sluice::agent {

Snapshot Supervisor::snapshot() const {
    Snapshot all;
    all.id = config_.id;
    all.version = SLUICE_VERSION;
    all.at = clock_.now();
    all.failed = failed_;
    all.fenced = fenced_;
    all.ingest = ingest_->counters();
    all.source_latency = ingest_->latency().read();
    if (listener_) all.listener = listener_->status();
    for (const auto& source : sources_) all.sources.push_back(source->status());
    if (forwarder_) all.forwarder = forwarder_->status();
    if (rules_) {
        const auto status = rules_->status();
        all.rules = {status.records, status.alerts,  status.derived, status.left_out,
                     status.backlog, status.devices, status.firing,  rules_->book().firing_by_rule()};
        for (const auto& rule : config_.rules.rules) {
            if (!rule.source.derive) all.rules->firing_by_rule.try_emplace(rule.source.name, 0);
        }
    }
    if (config_.kafka) {
        all.brokers = config_.kafka->brokers;
        all.exactly_once = config_.kafka->delivery == bridge::kafka::Delivery::exactly_once;
    }
    for (const auto& [name, stream] : config_.streams) {
        auto* log = logs_->find(name);
        if (log == nullptr) continue;
        StreamSnapshot one;
        one.name = name;
        if (config_.kafka && stream.forward) one.topic = stream.kafka_topic.value_or(name);
        one.log_start = log->log_start_offset();
        one.log_end = log->log_end_offset();
        one.high_watermark = log->high_watermark();
        one.bytes = log->size_bytes();
        one.segments = log->segments().all().size();
        one.blocked = commit_->waits_for_space(*log);
        if (all.forwarder) {
            const auto& streams = all.forwarder->streams;
            const auto found =
                std::find_if(streams.begin(), streams.end(), [&](const auto& each) { return each.stream == one.name; });
            if (found != streams.end()) one.forwarding = *found;
        }
        all.streams.push_back(std::move(one));
    }
    all.commit = commit_->counters();
    all.commit_latency = commit_->commit_latency().read();
    all.cleaner = cleaner_->counters();
    all.given_up = events_.given_up();
    all.quota_used_bytes = logs_->budget().used_bytes();
    if (config_.quota_bytes != storage::DiskBudget::kUnlimited) all.quota_bytes = config_.quota_bytes;
    all.flash_bytes_today = flash_->bytes_today();
    all.flash_days_left = flash_->days_left();
    return all;
}

nlohmann::ordered_json Supervisor::alerts() const {
    return rules_ ? rules_->book().json() : AlertBook().json();
}

storage::Result<void> Supervisor::reload(const Config& fresh, bool routes) {
    auto map = bridge::TopicMap::create(fresh.routes);
    if (const auto* faults = std::get_if<std::vector<bridge::RouteFault>>(&map)) {
        return storage::Error(storage::Errc::invalid, faults->front().what);
    }
    if (listener_ && fresh.listener) {
        if (auto done = listener_->reload(*fresh.listener); !done) return done;
    }
    if (routes) ingest_->replace_routes(std::get<bridge::TopicMap>(std::move(map)));
    if (uplink_files_ && uplink_files_->any()) renewal_asked_ = true;
    return {};
}

std::optional<std::chrono::steady_clock::time_point> Supervisor::last_forward_turn() const {
    return forwarder_ ? std::optional(forwarder_->status().last_turn) : std::nullopt;
}

}  // namespace sluice::agent
