#include "agent/rates.hpp"

namespace sluice::agent {

namespace {

std::optional<double> seconds_of(const std::optional<std::chrono::duration<double>>& time) {
    return time ? std::optional(time->count()) : std::nullopt;
}

}  // namespace

void RateBoard::sample(const Snapshot& snapshot, TimePoint now) {
    next_ = now + kInterval;
    Rates rates;
    const auto in = incoming_.update({now, snapshot.received(), snapshot.accepted(), 0});
    rates.received_per_s = in.accepted_per_s;
    const auto out = outgoing_.update({now, snapshot.accepted(), snapshot.forwarded(), snapshot.backlog()});
    rates.accepted_per_s = out.accepted_per_s;
    rates.forwarded_per_s = out.forwarded_per_s;
    rates.drain_s = seconds_of(out.drain_time);
    for (const auto& stream : snapshot.streams) {
        auto& meter = meters_.try_emplace(stream.name, kWindow).first->second;
        const auto forwarded = stream.forwarding ? stream.forwarding->forwarded : 0;
        const auto backlog = stream.forwarding ? stream.forwarding->backlog : 0;
        const auto one =
            meter.update({now, static_cast<std::uint64_t>(stream.high_watermark.value()), forwarded, backlog});
        rates.streams[stream.name] = {one.accepted_per_s, one.forwarded_per_s, seconds_of(one.drain_time)};
    }
    const std::lock_guard lock(mutex_);
    rates_ = std::move(rates);
}

Rates RateBoard::read() const {
    const std::lock_guard lock(mutex_);
    return rates_;
}

}  // namespace sluice::agent
