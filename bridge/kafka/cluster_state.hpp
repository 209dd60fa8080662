// cluster_state.hpp: whether the cluster answers, and what is said of it: a trouble once, then at growing intervals.
//
// The forward thread; is_connected() any.
#pragma once

#include "bridge/link_state.hpp"
#include "bridge/report.hpp"

#include <atomic>
#include <chrono>
#include <optional>
#include <string>

namespace sluice::bridge::kafka {

class ClusterState {
 public:
    using TimePoint = std::chrono::steady_clock::time_point;

    ClusterState(const Report& report, std::string brokers, std::chrono::milliseconds reminder);

    [[nodiscard]] bool is_connected() const { return connected_; }
    /// Why nothing can be sent, as far as it is known; empty where nothing is known to be in the way.
    [[nodiscard]] std::string in_the_way() const { return connected_ ? std::string() : trouble_.message(); }
    /// Since when, and why not. Any thread.
    [[nodiscard]] LinkState::Reading link() const { return link_.read(); }
    /// Whether it was said that nothing can be sent: an outage.
    [[nodiscard]] bool in_outage() const { return trouble_.in_trouble(); }
    /// What it was said to be.
    [[nodiscard]] std::string outage() const { return trouble_.message(); }
    void answers(TimePoint now);
    /// No broker can be reached. It is said a little later, with its cause if there is one by then.
    void unreachable(TimePoint now);
    /// Something that somebody has to mend, or a cluster that is there and doesn't answer.
    void trouble(const std::string& text, TimePoint now);
    /// What librdkafka tells that is not about a record. @param error  rd_kafka_resp_err_t
    void on_event(int error, const std::string& message, TimePoint now);

    /// Says what is due.
    void tick(TimePoint now);
    [[nodiscard]] bool is_reminder_due(TimePoint now) const { return trouble_.is_reminder_due(now); }
    void remind(TimePoint now) { trouble_.remind(now); }

 private:
    const Report report_;
    const std::string brokers_;
    TroubleReport trouble_;
    std::string last_fault_;                      // what librdkafka said last of one broker
    std::optional<TimePoint> unreachable_since_;  // until it is said
    std::atomic<bool> connected_{false};
    LinkState link_;
};

}  // namespace sluice::bridge::kafka
