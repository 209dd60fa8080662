#include "bridge/kafka/cluster_state.hpp"

#include <librdkafka/rdkafka.h>

#include <utility>

namespace sluice::bridge::kafka {

namespace {

// librdkafka says that no broker is left before it says why.
constexpr auto kCausePatience = std::chrono::seconds(1);

/// Without the time that it took, so that it is the same text each time.
std::string without_duration(const std::string& message) {
    return message.substr(0, message.find(" (after "));
}

}  // namespace

ClusterState::ClusterState(const Report& report, std::string brokers, std::chrono::milliseconds reminder)
    : report_(report), brokers_(std::move(brokers)), trouble_(report, "kafka", reminder) {}

void ClusterState::answers(TimePoint now) {
    if (!connected_.exchange(true)) link_.up();
    trouble_.over("the cluster answers again", now);
    unreachable_since_.reset();
    last_fault_.clear();
}

void ClusterState::unreachable(TimePoint now) {
    connected_ = false;
    link_.down({});
    if (!trouble_.in_trouble() && !unreachable_since_) unreachable_since_ = now;
}

void ClusterState::trouble(const std::string& text, TimePoint now) {
    connected_ = false;  // until something arrives
    link_.down(text);
    trouble_.trouble(text, now);
}

void ClusterState::on_event(int error, const std::string& message, TimePoint now) {
    switch (error) {
        case RD_KAFKA_RESP_ERR__FATAL:
            return;  // handled where fatal() is asked
        case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
            return unreachable(now);
        case RD_KAFKA_RESP_ERR__AUTHENTICATION:
            return trouble("the cluster refuses our credentials (check kafka.username and the password): " +
                               without_duration(message),
                           now);
        case RD_KAFKA_RESP_ERR__SSL:
        case RD_KAFKA_RESP_ERR__RESOLVE:
        case RD_KAFKA_RESP_ERR__TRANSPORT:
            last_fault_ = without_duration(message);
            [[fallthrough]];
        default:
            report_(Severity::debug, "kafka", message);
            return;
    }
}

void ClusterState::tick(TimePoint now) {
    if (!unreachable_since_ || (last_fault_.empty() && now - *unreachable_since_ < kCausePatience)) return;
    unreachable_since_.reset();
    if (trouble_.in_trouble()) return;  // something better was said meanwhile
    link_.down(last_fault_.empty() ? "no broker can be reached" : last_fault_);
    trouble_.trouble("no broker of " + brokers_ + " can be reached; records are kept until one can" +
                         (last_fault_.empty() ? "" : " (" + last_fault_ + ")"),
                     now);
}

}  // namespace sluice::bridge::kafka
