#include "bridge/kafka/end_at_start.hpp"
#include "bridge/kafka/forwarder_impl.hpp"

namespace sluice::bridge::kafka {

using namespace std::chrono_literals;

bool Forwarder::Impl::forget_ends_at_start() {
    for (auto& stream : streams_) {
        if (!stream->end_at_start()) continue;
        if (auto done = forget_end_at_start(parts_.catalog, stream->log()); !done) {
            catalog_trouble_.trouble(done.error().message() + " (nothing is sent until the catalog can be written)",
                                     SteadyClock::now());
            return false;
        }
        stream->set_end_at_start(std::nullopt);
    }
    return true;
}

/// What is due of the transaction. @return whether there is more to do at once
bool Forwarder::Impl::take_turn() {
    const auto now = SteadyClock::now();
    switch (transactions_->turn(*transactional_, now, stopping_)) {
        case Transactions::Outcome::going_on:
            return false;
        case Transactions::Outcome::progress:
            return true;
        case Transactions::Outcome::unreachable:
            cluster_.unreachable(SteadyClock::now());
            return false;
        case Transactions::Outcome::trouble:
            cluster_.trouble(transactions_->trouble(), SteadyClock::now());
            return false;
        case Transactions::Outcome::spent:
            if (!transactions_->trouble().empty()) {
                cluster_.trouble(transactions_->trouble(), SteadyClock::now());
            }
            if (!stopping_) rebuild(producer_->fatal().value_or(transactions_->trouble()));
            return true;
        case Transactions::Outcome::fenced:
            fenced_ = true;
            cluster_.unreachable(SteadyClock::now());
            parts_.report(Severity::error, "kafka", transactions_->trouble());
            if (parts_.on_fenced) parts_.on_fenced(transactions_->trouble());
            return false;
    }
    return false;
}

/// What was sent is committed, where the cluster answers in time; if not, the next start finds out and sends it again.
void Forwarder::Impl::finish_transaction() {
    transactions_->finish();
    while (!transactions_->at_rest() && SteadyClock::now() < stop_deadline_.load()) {
        const auto outcome = transactions_->turn(*transactional_, SteadyClock::now(), stopping_);
        if (outcome == Transactions::Outcome::spent || outcome == Transactions::Outcome::fenced) return;
        producer_->poll(outcome == Transactions::Outcome::progress ? 0ms : 20ms, events_);
        serve_set_asides();
    }
}

}  // namespace sluice::bridge::kafka
