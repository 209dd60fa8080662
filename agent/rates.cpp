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
    rates.received_per_s = received_.update({now, snapshot.received()}).arrival_per_s;
    rates.accepted_per_s = accepted_.update({now, snapshot.accepted()}).arrival_per_s;
    if (snapshot.forwarder) {
        rates.forwarded_per_s = snapshot.forwarder->rates.drain_per_s;
        rates.drain_s = seconds_of(snapshot.forwarder->rates.drain_time);
    }
    for (const auto& stream : snapshot.streams) {
        if (stream.forwarding) {
            const auto& of = stream.forwarding->rates;
            rates.streams[stream.name] = {of.arrival_per_s, of.drain_per_s, seconds_of(of.drain_time)};
            continue;
        }
        auto& meter = meters_.try_emplace(stream.name, std::chrono::milliseconds(0), kWindow).first->second;
        const auto arrived = static_cast<std::uint64_t>(stream.high_watermark.value());
        rates.streams[stream.name] = {meter.update({now, arrived}).arrival_per_s, 0, std::nullopt};
    }
    const std::lock_guard lock(mutex_);
    rates_ = std::move(rates);
}

Rates RateBoard::read() const {
    const std::lock_guard lock(mutex_);
    return rates_;
}

}  // namespace sluice::agent
