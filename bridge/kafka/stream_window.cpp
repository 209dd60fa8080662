#include "bridge/kafka/stream_window.hpp"

#include "storage/assert.hpp"

#include <algorithm>

namespace sluice::bridge::kafka {

namespace {

// A group that has grown to this size again has passed what it was made small for.
constexpr std::size_t kGroupEnough = 16'384;

}  // namespace

bool StreamWindow::may_send() const {
    return !failed_ && (!group_ || group_sent_ < *group_);
}

StreamWindow::Entry* StreamWindow::find(Offset offset) {
    const auto found = std::lower_bound(entries_.begin(), entries_.end(), offset,
                                        [](const Entry& entry, Offset wanted) { return entry.offset < wanted; });
    return found != entries_.end() && found->offset == offset ? &*found : nullptr;
}

StreamWindow::Next StreamWindow::next(Offset offset) {
    if (offset >= next_new_) return Next::send;
    const auto* entry = find(offset);
    return entry != nullptr && entry->state == State::failed ? Next::send : Next::skip;
}

StreamWindow::Entry& StreamWindow::begin(Offset offset, std::uint32_t bytes) {
    auto* entry = offset < next_new_ ? find(offset) : nullptr;
    if (entry == nullptr) {
        SLUICE_ASSERT(offset >= next_new_);
        entries_.push_back({offset, stream_, bytes, State::in_flight});
        entry = &entries_.back();
        next_new_ = offset + 1;
        if (entries_.size() == 1) advance();
    }
    entry->state = State::in_flight;
    ++in_flight_;
    in_flight_bytes_ += bytes;
    ++group_sent_;
    return *entry;
}

void StreamWindow::left_flight(const Entry& entry) {
    SLUICE_ASSERT(in_flight_ > 0 && entry.state == State::in_flight);
    in_flight_bytes_ -= entry.bytes;
    if (--in_flight_ == 0) group_sent_ = 0;
}

void StreamWindow::undo(Entry& entry) {
    left_flight(entry);
    entry.state = State::failed;
}

void StreamWindow::set_aside(Entry& entry) {
    left_flight(entry);
    entry.state = State::setting_aside;
}

bool StreamWindow::delivered(Entry& entry, ErrorClass result) {
    left_flight(entry);
    if (result == ErrorClass::none) {
        entry.state = State::finished;
        advance();
        if (in_flight_ == 0 && !failed_ && !transactional_) grow();
        return false;
    }
    if (result == ErrorClass::record && group_ == 1) {
        entry.state = State::setting_aside;
        return true;
    }
    entry.state = State::failed;
    failed_ = true;
    if (result == ErrorClass::record) ++failed_by_record_;
    return false;
}

void StreamWindow::grow() {
    if (!group_) return;
    *group_ *= 2;
    if (*group_ > kGroupEnough) group_.reset();
}

void StreamWindow::finish_set_aside(Offset offset) {
    auto* entry = find(offset);
    SLUICE_ASSERT(entry != nullptr && entry->state == State::setting_aside);
    entry->state = State::finished;
    advance();
}

void StreamWindow::give_up_in_flight() {
    for (auto& entry : entries_) {
        if (entry.state == State::in_flight) static_cast<void>(delivered(entry, ErrorClass::producer));
    }
}

storage::Offset StreamWindow::rewind() {
    SLUICE_ASSERT(in_flight_ == 0);
    failed_ = false;
    if (failed_by_record_ > 0) group_ = std::max<std::size_t>(1, failed_by_record_ / 2);
    failed_by_record_ = 0;
    return cursor_;
}

void StreamWindow::restart_at(Offset offset) {
    static_cast<void>(rewind());
    entries_.clear();
    cursor_ = next_new_ = offset;
}

void StreamWindow::skip_to(Offset offset) {
    next_new_ = std::max(next_new_, offset);
    advance();
}

void StreamWindow::advance() {
    while (!entries_.empty() && entries_.front().state == State::finished) {
        if (on_finished_) on_finished_(entries_.front());
        entries_.pop_front();
    }
    cursor_ = entries_.empty() ? next_new_ : entries_.front().offset;
}

}  // namespace sluice::bridge::kafka
