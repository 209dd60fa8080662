#include "agent/rules/stream_rules.hpp"

#include <algorithm>
#include <utility>
#include <variant>

namespace sluice::agent {

using models::rules::RuleDiagnostic;
using models::rules::RuleSet;
using models::rules::RuleSource;

StreamRules::StreamRules(RuleSet set, const std::string& hash_key)
    : set_(std::move(set)), decoder_(std::make_unique<RecordDecoder>(set_.fields())) {
    for (const auto* rule : set_.rules()) {
        if (rule->derives()) writers_.try_emplace(rule, *rule, hash_key);
    }
}

storage::Result<std::unique_ptr<StreamRules>> StreamRules::make(const std::vector<RuleSource>& sources,
                                                                std::size_t devices_max, const std::string& hash_key) {
    auto built = RuleSet::build(sources, devices_max);
    if (const auto* faults = std::get_if<std::vector<RuleDiagnostic>>(&built)) {
        const auto& fault = faults->front();
        return storage::Error(storage::Errc::invalid,
                              "rule " + fault.rule + ": " + fault.key + ": " + fault.diagnostic.what);
    }
    return std::unique_ptr<StreamRules>(new StreamRules(std::move(std::get<RuleSet>(built)), hash_key));
}

void StreamRules::start_at(storage::Offset next, AlertsSeen seen) {
    next_ = next.value();
    seen_ = std::move(seen);
    std::erase_if(seen_.advances, [&](const auto& advance) {
        return advance.next < next_ || advance.to_ms <= models::to_ms(advanced_to_);
    });
    advances_done_ = 0;
}

void StreamRules::take(const storage::RecordView& record, const Sink& sink) {
    replay_advances(record.offset.value(), sink);
    const auto view = decoder_->decode(record);
    set_.add(view, alerts_);
    next_ = record.offset.value() + 1;
    newest_arrival_ = std::max(newest_arrival_, view.arrival);
    give(0, view.arrival, sink);
    give_derived(0, record.value.value_or(""));
}

void StreamRules::caught_up(const Sink& sink) {
    replay_advances(next_, sink);
}

void StreamRules::replay_advances(std::int64_t up_to, const Sink& sink) {
    while (advances_done_ < seen_.advances.size() && seen_.advances[advances_done_].next <= up_to) {
        const auto& advance_again = seen_.advances[advances_done_++];
        next_ = std::max(next_, advance_again.next);
        advance(models::Time(models::Duration(advance_again.to_ms)), sink);
    }
}

void StreamRules::advance(models::Time now, const Sink& sink) {
    if (now <= advanced_to_) return;
    advanced_to_ = now;
    set_.advance(now, alerts_);
    give(models::to_ms(now), now, sink);
    give_derived(models::to_ms(now), std::nullopt);
}

void StreamRules::give(std::int64_t advanced_ms, storage::Timestamp arrival, const Sink& sink) {
    AlertPosition position{next_, advanced_ms, 0};
    for (const auto& alert : alerts_) {
        if (seen_.last && position <= *seen_.last)
            ++repeated_;
        else
            sink(alert, position, arrival);
        ++position.number;
    }
    alerts_.clear();
}

/// @param payload  of the record that caused it; intervals that it ended don't look at it
void StreamRules::give_derived(std::int64_t advanced_ms, std::optional<std::string_view> payload) {
    std::map<std::string_view, AlertPosition> positions;  // each log counts for itself
    for (const auto& derived : set_.derived()) {
        const auto& source = *derived.rule->source.derive;
        const auto& to = source.to;
        auto& position = positions.try_emplace(to, AlertPosition{next_, advanced_ms, 0}).first->second;
        const auto seen = seen_.derived.find(to);
        if (!on_derived_ || (seen != seen_.derived.end() && position <= seen->second)) {
            ++position.number;
            continue;
        }
        const bool at_interval = source.every.count() > 0;
        if (auto record = writers_.at(derived.rule).record(derived, at_interval ? std::nullopt : payload))
            on_derived_(to, std::move(*record), position);
        else
            ++left_out_;
        ++position.number;
    }
    set_.derived().clear();
}

void StreamRules::save(models::StateWriter& writer) const {
    writer.i64(next_);
    writer.i64(models::to_ms(advanced_to_));
    set_.save(writer);
}

std::optional<std::string> StreamRules::take_over(const StreamRules& old, std::vector<models::Alert>& ended) {
    std::vector<std::byte> bytes;
    models::StateWriter writer(
        [&](std::span<const std::byte> part) { bytes.insert(bytes.end(), part.begin(), part.end()); });
    old.save(writer);
    writer.finish();
    models::StateReader reader(bytes);
    return restore(reader, ended);
}

std::optional<std::string> StreamRules::restore(models::StateReader& reader, std::vector<models::Alert>& ended) {
    const auto next = reader.i64();
    const auto advanced = reader.i64();
    if (auto fault = set_.restore(reader, ended)) return fault;
    next_ = next;
    advanced_to_ = models::Time(models::Duration(advanced));
    return std::nullopt;
}

}  // namespace sluice::agent
