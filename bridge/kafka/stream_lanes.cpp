#include "bridge/kafka/stream_lanes.hpp"

#include <algorithm>
#include <utility>

namespace sluice::bridge::kafka {

using storage::Offset;

StreamLanes::StreamLanes(ForwardStream& only, std::size_t index, const Progress& start)
    : lanes_{&only, nullptr}, index_(index) {
    restart_at(start);
}

StreamLanes::StreamLanes(ForwardStream& first, ForwardStream& second, std::size_t index, const Progress& start)
    : lanes_{&first, &second}, index_(index) {
    restart_at(start);
}

Progress StreamLanes::progress(Offset backlog, Offset newest) const {
    if (has_two()) return book_.progress(backlog, newest);
    Progress progress{newest, sent_before_};
    progress.normalize();
    return progress;
}

Progress StreamLanes::finished() const {
    return progress(has_two() ? backlog().finished() : Offset(0), newest().finished());
}

Progress StreamLanes::position() const {
    return progress(has_two() ? backlog().position() : Offset(0), newest().position());
}

void StreamLanes::restart_at(const Progress& progress) {
    {
        const std::lock_guard lock(mutex_);
        if (has_two()) book_.restore(progress);
        sent_before_ = progress.ahead;
    }
    reopening_ = false;
    if (!has_two()) {
        newest().restart_at(progress.next);
        return newest().set_lane({ForwardStream::Lane::Name::plain, std::nullopt, progress.ahead});
    }
    backlog().restart_at(progress.next);
    newest().restart_at(progress.end());
    arrange();
}

/// Tells the lanes what is theirs.
void StreamLanes::arrange() {
    newest().set_lane({ForwardStream::Lane::Name::live, std::nullopt, {}});
    if (book_.is_open()) {
        backlog().set_lane({ForwardStream::Lane::Name::backlog, book_.newest_from(), book_.sent_before()});
    } else {
        backlog().set_lane({ForwardStream::Lane::Name::idle, std::nullopt, {}});
    }
    changed_ = true;
}

void StreamLanes::newest_first() {
    if (!has_two() || reopening_) return;
    const auto end = log().high_watermark();
    if (end - newest().position() < kLeastBacklog) return;
    if (book_.is_open()) {
        reopening_ = true;
        newest().set_lane({ForwardStream::Lane::Name::live, newest().position(), {}});
        return;
    }
    {
        const std::lock_guard lock(mutex_);
        newest_ = 1 - newest_;
        book_.open(end);
    }
    newest().restart_at(end);
    arrange();
}

bool StreamLanes::look() {
    if (!has_two()) return std::exchange(changed_, false);
    if (book_.is_open() && backlog().finished() >= book_.newest_from() &&
        backlog().position() == backlog().finished()) {
        {
            const std::lock_guard lock(mutex_);
            book_.close();
        }
        reopening_ = false;
        arrange();
    } else if (reopening_ && newest().is_at_rest()) {
        const auto end = log().high_watermark();
        {
            const std::lock_guard lock(mutex_);
            book_.reopen(newest().finished(), end);
        }
        reopening_ = false;
        newest().restart_at(end);
        arrange();
    }
    return std::exchange(changed_, false);
}

std::vector<StreamLanes::Weight> StreamLanes::weights() const {
    const auto& target = lanes_[0]->target();
    if (!has_two() || !book_.is_open()) return {{index_ + newest_, target.weight}};
    return {{index_ + newest_, target.weight * (1 - target.backlog_share)},
            {index_ + 1 - newest_, target.weight * target.backlog_share}};
}

StreamStatus StreamLanes::status() const {
    auto status = lanes_[0]->status();
    std::array cursors{status.cursor, storage::Offset(0)};
    if (has_two()) {
        const auto second = lanes_[1]->status();
        status.forwarded += second.forwarded;
        status.forwarded_bytes += second.forwarded_bytes;
        status.dead_lettered += second.dead_lettered;
        status.delay += second.delay;
        if (!status.held) status.held = second.held;
        cursors[1] = second.cursor;
    }
    const std::lock_guard lock(mutex_);
    const auto now = progress(cursors[1 - newest_], cursors[newest_]);
    status.cursor = now.next;
    const auto left = static_cast<std::uint64_t>(std::max<std::int64_t>(0, log().high_watermark() - now.next));
    status.backlog = left - std::min(left, now.records_ahead());
    if (book_.is_open()) {
        status.behind.emplace();
        const auto newer = std::max<std::int64_t>(0, log().high_watermark() - cursors[newest_]);
        status.behind->records = status.backlog - std::min(status.backlog, static_cast<std::uint64_t>(newer));
        status.behind->live_cursor = cursors[newest_];
    }
    return status;
}

}  // namespace sluice::bridge::kafka
