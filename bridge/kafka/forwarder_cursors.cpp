#include "bridge/kafka/end_at_start.hpp"
#include "bridge/kafka/forwarder_impl.hpp"
#include "bridge/kafka/stored_progress.hpp"

#include <algorithm>
#include <utility>

namespace sluice::bridge::kafka {

storage::Result<void> Forwarder::Impl::add(StreamTarget target) {
    auto* log = parts_.logs.find(target.stream);
    if (log == nullptr) return storage::Error(storage::Errc::not_found, "no stream " + target.stream);
    const auto stored = load_progress(parts_.catalog, target.stream, log->id());
    if (!stored) return stored.error();
    auto progress = stored->value_or(Progress());
    progress.next = std::max(progress.next, log->log_start_offset());
    progress.normalize();
    stored_.push_back(progress);
    if (progress.end() > log->log_end_offset()) {
        parts_.report(Severity::warning, "stream " + target.stream,
                      "the log ends before what was forwarded (power lost with durability \"flush\", or damage at its "
                      "end)");
        progress.clip(log->log_end_offset());
    }
    const auto index = streams_.size();
    auto& first = add_lane(target, *log, progress.next);
    if (target.order == StreamTarget::Order::live_first) {
        auto& second = add_lane(target, *log, progress.next);
        lanes_.push_back(std::make_unique<StreamLanes>(first, second, index, progress));
    } else {
        lanes_.push_back(std::make_unique<StreamLanes>(first, index, progress));
    }
    prove_lanes(index);
    if (progress != stored_.back()) {
        // At once: the offsets up to the old cursor are about to be given to other records.
        if (auto done = store_progress({lanes_.size() - 1}, {progress}); !done) return done;
        log->set_finished(progress.next);
    }
    if (transactions_) {
        const auto end = note_end_at_start(parts_.catalog, *log);
        if (!end) return end.error();
        first.set_end_at_start(*end);
    }
    subscriptions_.push_back(log->subscribe([this] { wake(); }));
    return {};
}

ForwardStream& Forwarder::Impl::add_lane(const StreamTarget& target, const storage::Log& log, storage::Offset from) {
    const auto index = static_cast<std::uint32_t>(streams_.size());
    auto set_aside = [this, index, &log](storage::Offset offset, std::string why) {
        set_asides_.add(index, log, offset, std::move(why), SteadyClock::now());
    };
    streams_.push_back(
        std::make_unique<ForwardStream>(target, log, from, index, options_, parts_.report, std::move(set_aside)));
    share_.add(target.weight);
    return *streams_.back();
}

/// Only now that the lanes stand where the catalog says: what they say of it takes nothing back, as an exactly-once
/// position in Kafka may be further.
void Forwarder::Impl::prove_lanes(std::size_t first) {
    if (parts_.proofs == nullptr) return;
    for (auto index = first; index < streams_.size(); ++index) {
        auto& lane = *streams_[index];
        const auto& log = lane.log();
        const auto reader = std::string(kForwardReader) + (index > first ? "/2" : "");
        const auto number = parts_.proofs->add_stream({lane.target().stream, log.id(), lane.target().topic, reader},
                                                      log.log_end_offset());
        lane.prove_in(*parts_.proofs, number);
    }
}

/// What the death of the process must not take: before the cursors say that all of this is done.
void Forwarder::Impl::write_proofs() {
    if (parts_.proofs == nullptr) return;
    for (std::size_t i = 0; i < streams_.size(); ++i) {
        parts_.proofs->set_state(i, streams_[i]->status().held.value_or(std::string()));
    }
    parts_.proofs->set_state(std::nullopt, cluster_.in_the_way());
    if (auto done = parts_.proofs->flush(); !done) {
        proof_trouble_.trouble("proofs of delivery: " + done.error().message(), SteadyClock::now());
    } else {
        proof_trouble_.over("proofs of delivery are written again", SteadyClock::now());
    }
}

/// What live_first changes while records are sent.
void Forwarder::Impl::look_after_lanes() {
    if (transactions_ && !transactions_->placed()) return;
    const bool due = std::exchange(newest_first_due_, false);
    for (const auto& stream : lanes_) {
        if (due) stream->newest_first();
        if (!stream->look()) continue;
        for (const auto& [lane, weight] : stream->weights()) share_.set_weight(lane, weight);
    }
}

storage::Result<void> Forwarder::Impl::store_progress(const std::vector<std::size_t>& which,
                                                      const std::vector<Progress>& progress) {
    std::vector<storage::Cursor> cursors;
    for (std::size_t i = 0; i < which.size(); ++i) {
        const auto& stream = *lanes_[which[i]];
        cursors.push_back({std::string(kForwardReader), stream.target().stream, stream.log().id(), progress[i].next});
    }
    if (auto done = parts_.catalog.store_cursors(cursors); !done) return done;
    // After the cursor, or before it: each is true without the other (progress.hpp).
    for (std::size_t i = 0; i < which.size(); ++i) {
        const auto& stream = *lanes_[which[i]];
        if (progress[i].ahead == stored_[which[i]].ahead) continue;
        auto done = store_ahead(parts_.catalog, stream.target().stream, stream.log().id(), progress[i].ahead);
        if (!done) return done;
    }
    for (std::size_t i = 0; i < which.size(); ++i) stored_[which[i]] = progress[i];
    return {};
}

void Forwarder::Impl::store_cursors() {
    next_store_ = SteadyClock::now() + options_.cursor_interval;
    write_proofs();
    std::vector<Progress> moved;
    std::vector<std::size_t> which;
    for (std::size_t i = 0; i < lanes_.size(); ++i) {
        auto progress = lanes_[i]->finished();
        if (progress == stored_[i]) continue;
        moved.push_back(std::move(progress));
        which.push_back(i);
    }
    if (moved.empty()) return;
    if (auto done = store_progress(which, moved); !done) {
        catalog_trouble_.trouble(done.error().message() + " (after a crash, records are sent again)",
                                 SteadyClock::now());
        return;
    }
    catalog_trouble_.over("the cursors can be stored again", SteadyClock::now());
    for (std::size_t i = 0; i < moved.size(); ++i) {
        if (parts_.on_cursor) parts_.on_cursor(lanes_[which[i]]->target().stream, moved[i].next);
    }
}

}  // namespace sluice::bridge::kafka
