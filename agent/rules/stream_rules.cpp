#include "agent/rules/stream_rules.hpp"

#include <algorithm>
#include <utility>
#include <variant>

namespace sluice::agent {

using models::rules::RuleDiagnostic;
using models::rules::RuleSet;
using models::rules::RuleSource;

StreamRules::StreamRules(RuleSet set)
    : set_(std::move(set)), decoder_(std::make_unique<RecordDecoder>(set_.fields())) {}

storage::Result<std::unique_ptr<StreamRules>> StreamRules::make(const std::vector<RuleSource>& sources,
                                                                std::size_t devices_max) {
    auto built = RuleSet::build(sources, devices_max);
    if (const auto* faults = std::get_if<std::vector<RuleDiagnostic>>(&built)) {
        const auto& fault = faults->front();
        return storage::Error(storage::Errc::invalid,
                              "rule " + fault.rule + ": " + fault.key + ": " + fault.diagnostic.what);
    }
    return std::unique_ptr<StreamRules>(new StreamRules(std::move(std::get<RuleSet>(built))));
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
