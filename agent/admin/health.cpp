#include "agent/admin/health.hpp"

#include "agent/text.hpp"

namespace sluice::agent::admin {

namespace {

std::string away(const std::string& who, const bridge::LinkState::Reading& link) {
    const auto since = std::chrono::time_point_cast<storage::Timestamp::duration>(link.since);
    return who + " is not connected since " + format_time(since) + (link.why.empty() ? "" : ": " + link.why);
}

}  // namespace

Health judge(const Snapshot& snapshot) {
    Health health;
    if (snapshot.failed)
        health.reasons.emplace_back("a sync of the log failed: the agent ends, and recovers at the next start");
    if (snapshot.fenced) health.reasons.emplace_back("another agent with this id has taken over: this one ends");
    for (const auto& stream : snapshot.streams) {
        if (stream.blocked) health.reasons.push_back("stream " + stream.name + ": no space, its devices wait");
        if (stream.forwarding && stream.forwarding->held) {
            health.notes.push_back("stream " + stream.name + " is held: " + *stream.forwarding->held);
        }
    }
    for (const auto& source : snapshot.sources) {
        if (!source.connected) health.reasons.push_back(away("source " + source.name, source.link));
    }
    if (snapshot.forwarder && !snapshot.forwarder->connected) {
        health.notes.push_back(away("the cluster " + snapshot.brokers, snapshot.forwarder->link));
    }
    return health;
}

}  // namespace sluice::agent::admin
