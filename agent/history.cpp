#include "agent/history.hpp"

#include "agent/text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

namespace sluice::agent {

namespace {

using Json = nlohmann::ordered_json;

double tenths(double value) {
    constexpr double kTenth = 10;
    return std::round(value * kTenth) / kTenth;
}

}  // namespace

void History::Ring::add(const Sample& second) {
    sum_.received += second.received;
    sum_.accepted += second.accepted;
    sum_.forwarded += second.forwarded;
    sum_.backlog = std::max(sum_.backlog, second.backlog);
    sum_.at_s = second.at_s;
    ++summed_;
    if (second.at_s % step_s_ != 0 && summed_ < static_cast<std::uint64_t>(step_s_)) return;
    const auto of = static_cast<float>(summed_);
    const Sample whole{sum_.at_s, sum_.received / of, sum_.accepted / of, sum_.forwarded / of, sum_.backlog};
    sum_ = {};
    summed_ = 0;
    if (samples_.size() < capacity_) {
        samples_.push_back(whole);
        return;
    }
    samples_[first_] = whole;
    first_ = (first_ + 1) % capacity_;
}

void History::sample(const Snapshot& snapshot, std::chrono::milliseconds now) {
    const Counts counts{now, snapshot.received(), snapshot.accepted(), snapshot.forwarded()};
    const std::lock_guard lock(mutex_);
    if (last_ && now > last_->at) {
        const auto seconds = std::chrono::duration<double>(now - last_->at).count();
        const auto rate = [&](std::uint64_t count, std::uint64_t before) {
            return static_cast<float>(static_cast<double>(count - std::min(count, before)) / seconds);
        };
        const auto at = std::chrono::duration_cast<std::chrono::seconds>(snapshot.at.time_since_epoch()).count();
        newest_ = Sample{at, rate(counts.received, last_->received), rate(counts.accepted, last_->accepted),
                         rate(counts.forwarded, last_->forwarded), snapshot.backlog()};
        for (auto& ring : rings_) ring.add(*newest_);
    }
    last_ = counts;
    if (snapshot.forwarder) watch("cluster", snapshot.forwarder->connected, snapshot.forwarder->link, snapshot.at);
    for (const auto& source : snapshot.sources) {
        watch("source " + source.name, source.connected, source.link, snapshot.at);
    }
}

void History::watch(const std::string& what, bool connected, const bridge::LinkState::Reading& link,
                    storage::Timestamp now) {
    const auto since = std::chrono::time_point_cast<storage::Timestamp::duration>(link.since);
    const auto open = std::find_if(outages_.begin(), outages_.end(),
                                   [&](const Outage& outage) { return outage.what == what && !outage.to; });
    if (connected) {
        if (open != outages_.end()) open->to = std::clamp(since, open->from, std::max(open->from, now));
        return;
    }
    if (open != outages_.end()) {
        if (!link.why.empty()) open->why = link.why;
        return;
    }
    if (outages_.size() >= kOutagesMax) outages_.pop_front();
    outages_.push_back({what, std::min(since, now), {}, link.why});
}

Json History::json(std::chrono::seconds back) const {
    const std::lock_guard lock(mutex_);
    const auto* ring = &rings_.back();
    for (auto at = rings_.rbegin(); at != rings_.rend(); ++at) {
        if (at->reach_s() >= back.count()) ring = &*at;
    }
    Json json = {{"step_seconds", ring->step_s()}, {"reach_seconds", ring->reach_s()}};
    for (const char* name : {"time", "received", "accepted", "forwarded", "backlog", "outages"})
        json[name] = Json::array();
    const auto from = newest_ ? newest_->at_s - back.count() : 0;
    ring->each([&](const Sample& sample) {
        if (sample.at_s < from) return;
        json["time"].push_back(sample.at_s);
        json["received"].push_back(tenths(sample.received));
        json["accepted"].push_back(tenths(sample.accepted));
        json["forwarded"].push_back(tenths(sample.forwarded));
        json["backlog"].push_back(sample.backlog);
    });
    for (const auto& outage : outages_) {
        json["outages"].push_back({{"what", outage.what},
                                   {"from", format_time(outage.from)},
                                   {"to", outage.to ? Json(format_time(*outage.to)) : Json(nullptr)},
                                   {"why", outage.why.empty() ? Json(nullptr) : Json(outage.why)}});
    }
    return json;
}

Json History::newest() const {
    const std::lock_guard lock(mutex_);
    if (!newest_) return nullptr;
    return {{"time", newest_->at_s},
            {"received", tenths(newest_->received)},
            {"accepted", tenths(newest_->accepted)},
            {"forwarded", tenths(newest_->forwarded)},
            {"backlog", newest_->backlog}};
}

}  // namespace sluice::agent
