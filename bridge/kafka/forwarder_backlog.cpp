#include "bridge/kafka/forwarder_impl.hpp"

#include <algorithm>
#include <utility>

namespace sluice::bridge::kafka {

using namespace std::chrono_literals;

namespace {

constexpr auto kSampleInterval = 1'000ms;
constexpr auto kStandstill = 5s;  // as good as an outage, for order = "live_first"

std::uint64_t backlog_of(const std::vector<std::unique_ptr<StreamLanes>>& streams) {
    std::uint64_t backlog = 0;
    for (const auto& stream : streams) backlog += stream->status().backlog;
    return backlog;
}

}  // namespace

void Forwarder::Impl::watch_backlog() {
    look_for_outage();
    const auto now = SteadyClock::now();
    if (now < next_sample_) return;
    next_sample_ = now + kSampleInterval;
    std::vector<BacklogMeter::Sample> samples;
    for (const auto& stream : lanes_) {
        const auto status = stream->status();
        const auto arrived = static_cast<std::uint64_t>(stream->log().high_watermark().value());
        samples.push_back({now, arrived, stream->log().appended_bytes(), status.backlog, status.forwarded_bytes});
    }
    backlog_.update(samples);
    look_for_standstill(backlog_of(lanes_), now);
}

/// A cluster may be away and back without a word: librdkafka doesn't always tell that it has lost the last broker.
void Forwarder::Impl::look_for_standstill(std::uint64_t backlog, SteadyClock::time_point now) {
    const bool still = uplink_open_ && !std::exchange(delivered_, false) && backlog > 0;
    if (still && !still_since_) still_since_ = now;
    if (still || !still_since_) return;
    if (now - *still_since_ >= kStandstill) newest_first_due_ = true;
    still_since_.reset();
}

void Forwarder::Impl::look_for_outage() {
    if (cluster_.in_outage() == outage_.has_value()) return;
    const auto now = SteadyClock::now();
    backlog_.turn();
    OutageChange change;
    change.over = outage_.has_value();
    if (change.over) {
        change.lasted = std::chrono::duration_cast<std::chrono::milliseconds>(now - outage_began_);
        change.outage = *outage_;
        newest_first_due_ = true;
    } else {
        outage_began_ = now;
        change.outage = {std::chrono::system_clock::now(), cluster_.outage()};
    }
    {
        const std::lock_guard lock(outage_mutex_);
        outage_ = change.over ? std::nullopt : std::optional(change.outage);
    }
    change.backlog = backlog_of(lanes_);
    change.arrival_per_s = backlog_.all().arrival_per_s;
    change.drain_time = backlog_.all().expected_drain_time(change.backlog);
    if (parts_.on_outage) parts_.on_outage(change);
}

ForwarderStatus Forwarder::Impl::status() const {
    ForwarderStatus status;
    status.connected = cluster_.is_connected();
    status.link = cluster_.link();
    status.producers_rebuilt = producers_rebuilt_;
    status.last_turn = last_turn_;
    if (transactions_) {
        status.transactions_committed = transactions_->committed_count();
        status.transactions_aborted = transactions_->aborted_count();
    }
    status.in_flight_bytes = in_flight_bytes_;
    status.rates = backlog_.all();
    for (std::size_t i = 0; i < lanes_.size(); ++i) {
        status.streams.push_back(lanes_[i]->status());
        status.streams.back().rates = backlog_.rates(i);
        status.backlog += status.streams.back().backlog;
    }
    status.uplink = uplink_->status();
    const std::lock_guard lock(outage_mutex_);
    status.outage = outage_;
    return status;
}

}  // namespace sluice::bridge::kafka
