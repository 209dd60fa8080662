#include "bridge/kafka/forwarder_impl.hpp"

#include <algorithm>

namespace sluice::bridge::kafka {

storage::Result<void> Forwarder::Impl::open_uplink() {
    auto uplink = Uplink::load(options_.uplink, parts_.catalog);
    if (!uplink) return uplink.error();
    uplink_ = std::move(*uplink);
    return {};
}

/// Whether anything may be sent. While it may not, what is in flight ends, and an open transaction is closed.
bool Forwarder::Impl::look_at_uplink() {
    const bool open = uplink_->is_open(std::chrono::system_clock::now());
    if (open == uplink_open_) return open;
    uplink_open_ = open;
    if (transactions_) transactions_->hold(!open);
    backlog_.turn();
    newest_first_due_ = newest_first_due_ || open;
    const auto status = uplink_->status();
    const auto why = status.state == UplinkState::paused
                         ? "paused" + (status.why.empty() ? std::string() : ": " + status.why)
                         : std::string("outside of its windows");
    parts_.report(Severity::info, "kafka",
                  open ? "the uplink is open again" : "nothing is sent, records are kept: the uplink is " + why);
    return open;
}

std::size_t Forwarder::Impl::paced(std::size_t room) {
    return pacer_ ? std::min(room, pacer_->room(SteadyClock::now())) : room;
}

void Forwarder::Impl::on_wire_bytes(std::uint64_t total) {
    wire_bytes_now_ = total;
    uplink_->set_wire_bytes(wire_bytes_ + total);
    pacer_->measured(total, in_flight_bytes(), SteadyClock::now());
}

storage::Result<void> Forwarder::Impl::pause(const std::string& why) {
    auto done = uplink_->pause(why, std::chrono::system_clock::now());
    if (done) wake();
    return done;
}

storage::Result<void> Forwarder::Impl::resume() {
    auto done = uplink_->resume();
    if (done) wake();
    return done;
}

}  // namespace sluice::bridge::kafka
