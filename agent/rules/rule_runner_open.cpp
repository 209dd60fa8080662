// Where the rules of a stream go on after a start.
//
//   - with a snapshot of the same rules: from there. What the alerts' log has past it is not said again.
//   - with a snapshot of other rules: those evaluate up to the last alert that is in the log, so that it is the end of
//     what they said; then what is the same goes over to the new ones, and alerts of rules that are gone end.
//   - without one (lost, damaged, of another version): after the last alert, with empty windows; what fires ends.
//   - without an alert either: at the end of the stream. A rule that is new has nothing to say of the past.
#include "agent/rules/rule_runner.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace sluice::agent {

using models::rules::RuleSource;
using storage::Offset;
using storage::Result;

namespace {

constexpr auto kStartDurableWithin = std::chrono::seconds(10);

/// The newest of all that was said.
std::optional<AlertPosition> newest(const AlertsSeen& seen) {
    auto newest = seen.last;
    for (const auto& [to, last] : seen.derived) newest = std::max(newest, std::optional(last));
    return newest;
}

std::optional<Offset> end_of(const AlertsSeen& seen) {
    const auto last = newest(seen);
    return last ? std::optional(Offset(last->next)) : std::nullopt;
}

/// Durability "flush", and the power failed: what caused the last alerts is gone, and its offsets are used again.
void forget_what_is_behind(Offset end, AlertsSeen& seen) {
    const AlertPosition last{end.value(), 0, 0};
    const auto said = end_of(seen);
    if (!said || *said <= end) return;
    if (seen.last) seen.last = std::min(*seen.last, last);
    for (auto& [to, position] : seen.derived) position = std::min(position, last);
    seen.advances.clear();
}

}  // namespace

Result<std::unique_ptr<RuleRunner>> RuleRunner::open(const RulesConfig& config, const std::string& data_dir,
                                                     RuleRunnerParts parts) {
    std::unique_ptr<RuleRunner> runner(new RuleRunner(config, data_dir, std::move(parts)));
    for (const auto& [name, sources] : config.by_stream()) {
        if (auto done = runner->open_stream(name, sources); !done) return done.error();
    }
    if (auto done = runner->end_removed_streams(); !done) return done.error();
    if (auto done = runner->read_book(); !done) return done.error();
    return runner;
}

/// The newest records of the alerts' log; all of it where something fires for longer than these tell.
Result<void> RuleRunner::read_book() {
    std::uint64_t firing = 0;
    for (const auto& stream : streams_) firing += stream->rules->set().firing();
    const auto end = alerts_.high_watermark().value();
    const auto recent = Offset(std::max<std::int64_t>(end - std::int64_t{AlertBook::kRecentMax}, 0));
    for (const auto from : {recent, Offset(0)}) {
        book_.clear();
        storage::LogReader reader(alerts_, from);
        for (;;) {
            const auto batch = reader.next();
            if (!batch) return batch.error();
            if (!*batch) break;
            for (const auto& record : (*batch)->records()) book_.note(std::string(record.value.value_or("")));
        }
        if (book_.firing() >= firing) break;
    }
    return {};
}

/// The logs that derivations write to.
std::vector<storage::Log*> RuleRunner::targets_of(const std::vector<RuleSource>& rules) const {
    std::set<storage::Log*> targets;
    for (const auto& rule : rules) {
        auto* target = rule.derive ? parts_.logs.find(rule.derive->to) : nullptr;
        if (target != nullptr) targets.insert(target);
    }
    return {targets.begin(), targets.end()};
}

Result<std::unique_ptr<RuleSnapshot>> RuleRunner::usable_snapshot(const std::string& name, const storage::Log& log) {
    auto snapshot = RuleSnapshot::load(data_dir_, name);
    if (!snapshot || !*snapshot) return snapshot;
    const auto& header = (*snapshot)->header();
    if (header.log_id != log.id().to_string() || header.alerts_log_id != alerts_.id().to_string()) {
        return std::unique_ptr<RuleSnapshot>();  // of a log that was deleted
    }
    return snapshot;
}

Result<void> RuleRunner::open_stream(const std::string& name, const std::vector<RuleSource>& sources) {
    auto& log = *parts_.logs.find(name);
    auto made = StreamRules::make(sources, devices_max_, hash_key_);
    if (!made) return made.error();
    auto rules = std::move(*made);
    auto snapshot = usable_snapshot(name, log);
    if (!snapshot) {
        parts_.report(bridge::Severity::warning, "rules", snapshot.error().message() + " (windows start empty)");
        snapshot = std::unique_ptr<RuleSnapshot>();
    }
    auto seen = read_seen(snapshot->get(), name, log, sources);
    if (!seen) return seen.error();
    for (const auto& [key, value] : seen->newest) tell(key, value);
    forget_what_is_behind(log.log_end_offset(), *seen);
    bool changed = false;
    std::vector<models::Alert> ended;
    std::optional<std::string> fault = "there is no snapshot";
    if (*snapshot) {
        const auto& header = (*snapshot)->header();
        changed = header.rules != sources || header.devices_max != devices_max_;
        if (changed && newest(*seen)) {
            auto old = replayed_by_old_rules(**snapshot, name, log, *seen);
            fault = old ? rules->take_over(**old, ended) : old.error().message();
        } else {
            fault = rules->restore((*snapshot)->state(), ended);
        }
        if (fault) parts_.report(bridge::Severity::warning, "rules", name + ": " + *fault + " (windows start empty)");
    }
    if (fault) {
        const auto next = end_of(*seen).value_or(log.high_watermark());
        end_lost_alerts(name, log, next.value(), *seen);
        rules->start_at(next, *seen);
    } else {
        rules->start_at(std::min(rules->next(), log.log_end_offset()), *seen);  // as above
    }
    auto stream = std::make_unique<Stream>(name, log, std::move(rules));
    stream->rules->on_derived(derived_sink(stream->name, log));
    stream->sources = sources;
    end_alerts(*stream, ended, *seen);
    if (!wait_until_durable(std::chrono::steady_clock::now() + kStartDurableWithin)) {
        parts_.report(bridge::Severity::warning, "rules", "the end of alerts is not durable yet");
    } else if (fault || changed) {
        if (auto done = take_snapshot(*stream); !done) return done.error();
    }
    stream->saved_next = stream->rules->next();
    stream->saved_bytes = *snapshot ? (*snapshot)->size_bytes() : stream->saved_bytes;
    stream->saved_at = std::chrono::steady_clock::now();
    streams_.push_back(std::move(stream));
    return {};
}

/// Of what the rules of the snapshot and those of now have written: what came after the snapshot.
Result<AlertsSeen> RuleRunner::read_seen(const RuleSnapshot* snapshot, const std::string& name, const storage::Log& log,
                                         const std::vector<RuleSource>& sources) {
    auto seen =
        read_alerts(alerts_, snapshot != nullptr ? Offset(snapshot->header().alerts_from) : Offset(0), name, log.id());
    if (!seen) return seen;
    auto all = sources;
    if (snapshot != nullptr) all.insert(all.end(), snapshot->header().rules.begin(), snapshot->header().rules.end());
    for (const auto* target : targets_of(all)) {
        // Without a snapshot nothing is said again, and the last record says where that is.
        auto from = std::max<std::int64_t>(target->high_watermark().value() - 1, 0);
        if (snapshot != nullptr) {
            const auto& known = snapshot->header().derived_from;
            const auto at = known.find(target->name());
            const bool same = at != known.end() && at->second.log_id == target->id().to_string();
            from = same ? std::min(from, at->second.offset) : 0;  // else it is new
        }
        if (auto done = read_derived(*target, Offset(from), name, log.id(), *seen); !done) return done.error();
    }
    return seen;
}

/// The rules as they were, up to the last alert in the log. All that they say on the way is there already.
Result<std::unique_ptr<StreamRules>> RuleRunner::replayed_by_old_rules(RuleSnapshot& snapshot, const std::string& name,
                                                                       const storage::Log& log,
                                                                       const AlertsSeen& seen) {
    const auto& header = snapshot.header();
    auto made = StreamRules::make(header.rules, header.devices_max, hash_key_);
    if (!made) return made.error();
    auto& old = **made;
    old.on_derived(derived_sink(name, log));
    std::vector<models::Alert> none;
    if (auto fault = old.restore(snapshot.state(), none)) return storage::Error(storage::Errc::corrupt, *fault);
    old.start_at(old.next(), seen);
    const auto end = *end_of(seen);
    const auto give = sink(name, log);  // all of it is in the log already, but for what a kill cut off
    storage::LogReader reader(log, old.next());
    while (reader.position() < end) {
        auto batch = reader.next();
        if (!batch) return batch.error();
        if (!*batch) break;
        for (const auto& record : (*batch)->records()) {
            if (record.offset < end) old.take(record, give);
        }
    }
    old.caught_up(give);
    return std::move(*made);
}

void RuleRunner::end_lost_alerts(const std::string& name, const storage::Log& log, std::int64_t next,
                                 const AlertsSeen& seen) {
    AlertPosition position{next, kRulesChanged, 0};
    for (auto [id, json] : seen.firing) {
        json["state"] = "resolved";
        json["reason"] = "state_lost";
        append_alert(alert_record(json, parts_.clock.now(), name, log.id(), position));
        ++position.number;
    }
}

void RuleRunner::end_alerts(Stream& stream, const std::vector<models::Alert>& ended, const AlertsSeen& seen) {
    AlertPosition position{stream.rules->next().value(), kRulesChanged, 0};
    for (const auto& alert : ended) {
        const auto& told = seen.ended_by_change;
        if (std::find(told.begin(), told.end(), alert.id()) != told.end()) continue;
        append_alert(
            alert_record(alert_json(alert, stream.name), parts_.clock.now(), stream.name, stream.log->id(), position));
        ++position.number;
    }
}

/// Streams that have no rules any more.
Result<void> RuleRunner::end_removed_streams() {
    for (const auto& name : streams_with_snapshot(parts_.files, data_dir_)) {
        const auto same = [&](const auto& stream) { return stream->name == name; };
        if (std::any_of(streams_.begin(), streams_.end(), same) || parts_.logs.find(name) == nullptr) continue;
        if (auto done = open_stream(name, {}); !done) return done.error();
        streams_.pop_back();
        if (auto done = remove_snapshot(parts_.files, data_dir_, name); !done) return done.error();
    }
    return {};
}

}  // namespace sluice::agent
