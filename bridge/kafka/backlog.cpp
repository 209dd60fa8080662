#include "bridge/kafka/backlog.hpp"

#include <algorithm>
#include <utility>

namespace sluice::bridge::kafka {

namespace {

using Samples = std::deque<BacklogMeter::Sample>;

void add(Samples& samples, const BacklogMeter::Sample& sample, std::chrono::milliseconds window) {
    samples.push_back(sample);
    while (samples.size() > 2 && sample.at - samples[1].at >= window) samples.pop_front();
}

/// Counters that went back (a log that has lost its end) count as standing still.
double rate(std::uint64_t first, std::uint64_t last, double seconds) {
    return seconds > 0 && last > first ? static_cast<double>(last - first) / seconds : 0;
}

double seconds_of(const Samples& samples) {
    return Seconds(samples.back().at - samples.front().at).count();
}

std::uint64_t drained(const BacklogMeter::Sample& sample) {
    return sample.arrived - std::min(sample.backlog, sample.arrived);
}

std::optional<Seconds> time_to_drain(std::uint64_t backlog, double drain_per_s, double arrival_per_s) {
    const double shrinking = drain_per_s - arrival_per_s;
    if (shrinking <= 0) return std::nullopt;
    return Seconds(static_cast<double>(backlog) / shrinking);
}

}  // namespace

std::optional<Seconds> BacklogRates::expected_drain_time(std::uint64_t backlog) const {
    if (backlog == 0) return Seconds(0);
    return capacity_per_s ? time_to_drain(backlog, *capacity_per_s, arrival_per_s) : std::nullopt;
}

bool BacklogMeter::keeps_up(const Sample& sample, double arrival_per_s) const {
    return static_cast<double>(sample.backlog) <= arrival_per_s * live_within_.count();
}

BacklogRates BacklogMeter::update(const Sample& sample) {
    if (std::exchange(turned_, false)) drain_samples_.clear();
    add(samples_, sample, window_);
    add(drain_samples_, sample, window_);
    const auto& first = samples_.front();
    const auto& drain_first = drain_samples_.front();
    BacklogRates rates;
    rates.arrival_per_s = rate(first.arrived, sample.arrived, seconds_of(samples_));
    rates.arrival_bytes_per_s = rate(first.arrived_bytes, sample.arrived_bytes, seconds_of(samples_));
    const auto drain_seconds = seconds_of(drain_samples_);
    rates.drain_per_s = rate(drained(drain_first), drained(sample), drain_seconds);
    rates.drain_bytes_per_s = rate(drain_first.forwarded_bytes, sample.forwarded_bytes, drain_seconds);
    rates.keeps_up = keeps_up(sample, rates.arrival_per_s);
    rates.drain_time =
        rates.keeps_up ? Seconds(0) : time_to_drain(sample.backlog, rates.drain_per_s, rates.arrival_per_s);
    if (rates.drain_per_s > 0 && !rates.keeps_up && !keeps_up(drain_first, rates.arrival_per_s)) {
        capacity_per_s_ = rates.drain_per_s;
    }
    rates.capacity_per_s = capacity_per_s_;
    return rates;
}

void BacklogWatch::update(const std::vector<BacklogMeter::Sample>& samples) {
    while (streams_.size() < samples.size()) streams_.emplace_back(live_within_);
    BacklogMeter::Sample sum;
    std::vector<BacklogRates> rates;
    for (std::size_t i = 0; i < samples.size(); ++i) {
        const auto& sample = samples[i];
        rates.push_back(streams_[i].update(sample));
        sum.at = sample.at;
        sum.arrived += sample.arrived;
        sum.arrived_bytes += sample.arrived_bytes;
        sum.backlog += sample.backlog;
        sum.forwarded_bytes += sample.forwarded_bytes;
    }
    const auto of_all = all_.update(sum);
    const std::lock_guard lock(mutex_);
    rates_ = std::move(rates);
    rates_of_all_ = of_all;
}

void BacklogWatch::turn() {
    for (auto& stream : streams_) stream.turn();
    all_.turn();
}

BacklogRates BacklogWatch::rates(std::size_t stream) const {
    const std::lock_guard lock(mutex_);
    return stream < rates_.size() ? rates_[stream] : BacklogRates();
}

BacklogRates BacklogWatch::all() const {
    const std::lock_guard lock(mutex_);
    return rates_of_all_;
}

}  // namespace sluice::bridge::kafka
