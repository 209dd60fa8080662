#include "bridge/kafka/uplink.hpp"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <system_error>
#include <utility>

namespace sluice::bridge::kafka {

namespace {

using namespace std::chrono_literals;

// "<milliseconds since 1970> <why>"; empty: it is not paused.
constexpr std::string_view kNote = "uplink-pause";
constexpr auto kLookInterval = 200ms;

}  // namespace

storage::Result<std::unique_ptr<Uplink>> Uplink::load(UplinkOptions options, storage::Catalog& catalog) {
    std::unique_ptr<Uplink> uplink(new Uplink(std::move(options), catalog));
    const auto note = catalog.note(kNote);
    if (!note) return note.error();
    const auto& text = note->value_or(std::string());
    if (text.empty()) return uplink;
    std::int64_t since = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), since);
    const auto why = static_cast<std::size_t>(parsed.ptr - text.data());
    uplink->pause_ = Pause{TimePoint(std::chrono::milliseconds(since)), text.substr(std::min(why + 1, text.size()))};
    uplink->paused_ = true;
    return uplink;
}

storage::Result<void> Uplink::pause(const std::string& why, TimePoint now) {
    const std::lock_guard lock(mutex_);
    const auto since = pause_ ? pause_->since : now;
    const auto at = std::chrono::duration_cast<std::chrono::milliseconds>(since.time_since_epoch());
    if (auto done = catalog_.store_note(kNote, std::to_string(at.count()) + " " + why); !done) return done;
    pause_ = Pause{since, why};
    paused_ = true;
    return {};
}

storage::Result<void> Uplink::resume() {
    const std::lock_guard lock(mutex_);
    if (!pause_) return {};
    if (auto done = catalog_.store_note(kNote, ""); !done) return done;
    pause_.reset();
    paused_ = false;
    return {};
}

bool Uplink::is_open(TimePoint now) {
    // The clock may have been set back.
    if (!options_.windows.is_always_open() && (now >= looked_at_ + kLookInterval || now < looked_at_)) {
        looked_at_ = now;
        const auto& windows = options_.windows;
        const bool inside = windows.is_open(now) && windows.is_open(now + kCloseAhead);
        if (inside != std::exchange(in_window_, inside)) {
            const std::lock_guard lock(mutex_);
            outside_since_ = inside ? std::nullopt : std::optional(now);
        }
    }
    return in_window_ && !paused_;
}

UplinkStatus Uplink::status() const {
    UplinkStatus status;
    status.rate = options_.rate;
    status.wire_bytes = wire_bytes_;
    const std::lock_guard lock(mutex_);
    if (pause_) {
        status.state = UplinkState::paused;
        status.why = pause_->why;
        status.since = pause_->since;
    } else if (outside_since_) {
        status.state = UplinkState::outside_windows;
        status.since = outside_since_;
        // It may have closed just before a window's end.
        const auto from = *outside_since_;
        status.opens_at = options_.windows.opens_at(options_.windows.is_open(from) ? from + kCloseAhead : from);
    }
    return status;
}

}  // namespace sluice::bridge::kafka
