#include "agent/backlog.hpp"

namespace sluice::agent {

BacklogMeter::Rates BacklogMeter::update(const Sample& sample) {
    samples_.push_back(sample);
    while (samples_.size() > 2 && sample.at - samples_[1].at >= window_) samples_.pop_front();
    const auto& first = samples_.front();
    const double seconds = std::chrono::duration<double>(sample.at - first.at).count();
    Rates rates;
    if (seconds > 0) {
        rates.accepted_per_s = static_cast<double>(sample.accepted - first.accepted) / seconds;
        rates.forwarded_per_s = static_cast<double>(sample.forwarded - first.forwarded) / seconds;
    }
    const double shrinking = rates.forwarded_per_s - rates.accepted_per_s;
    if (sample.backlog == 0) {
        rates.drain_time.emplace(0);
    } else if (shrinking > 0) {
        rates.drain_time.emplace(static_cast<double>(sample.backlog) / shrinking);
    }
    return rates;
}

}  // namespace sluice::agent
