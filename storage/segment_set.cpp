#include "storage/segment_set.hpp"

#include "storage/assert.hpp"

#include <algorithm>
#include <utility>

namespace sluice::storage {

namespace {

bool before(Offset offset, const std::shared_ptr<Segment>& segment) {
    return offset < segment->base_offset();
}

}  // namespace

void SegmentSet::add_active(std::shared_ptr<Segment> segment) {
    const std::lock_guard lock(mutex_);
    SLUICE_ASSERT(segments_.empty() || segments_.back()->base_offset() < segment->base_offset());
    segments_.push_back(std::move(segment));
}

std::shared_ptr<const Segment> SegmentSet::find(Offset offset) const {
    const std::lock_guard lock(mutex_);
    const auto after = std::upper_bound(segments_.begin(), segments_.end(), offset, before);
    return after == segments_.begin() ? segments_.front() : *std::prev(after);
}

SegmentSet::Segments SegmentSet::all() const {
    const std::lock_guard lock(mutex_);
    return segments_;
}

SegmentSet::Segments SegmentSet::closed() const {
    const std::lock_guard lock(mutex_);
    return {segments_.begin(), std::prev(segments_.end())};
}

std::optional<Offset> SegmentSet::first_base_after(Offset offset) const {
    const std::lock_guard lock(mutex_);
    const auto after = std::upper_bound(segments_.begin(), segments_.end(), offset, before);
    return after == segments_.end() ? std::nullopt : std::optional((*after)->base_offset());
}

Offset SegmentSet::start_offset() const {
    const std::lock_guard lock(mutex_);
    return segments_.front()->base_offset();
}

std::uint64_t SegmentSet::size_bytes() const {
    const std::lock_guard lock(mutex_);
    std::uint64_t bytes = 0;
    for (const auto& segment : segments_) bytes += segment->end_position().value();
    return bytes;
}

void SegmentSet::replace(std::shared_ptr<Segment> merged) {
    const std::lock_guard lock(mutex_);
    const auto next = merged->next_base();
    SLUICE_ASSERT(next.has_value());
    const auto first = std::find_if(segments_.begin(), segments_.end(), [&](const auto& segment) {
        return segment->base_offset() == merged->base_offset();
    });
    const auto last =
        std::find_if(first, segments_.end(), [&](const auto& segment) { return segment->base_offset() >= *next; });
    SLUICE_ASSERT(first != last && last != segments_.end());
    std::for_each(first, last, [&](const auto& segment) { merged->take_age_of(*segment); });
    *first = std::move(merged);
    segments_.erase(std::next(first), last);
}

void SegmentSet::replace_unmade(std::shared_ptr<Segment> begun) {
    const std::lock_guard lock(mutex_);
    SLUICE_ASSERT(segments_.size() == 1 && segments_.front()->base_offset() == begun->base_offset());
    segments_.front() = std::move(begun);
}

std::shared_ptr<Segment> SegmentSet::remove_oldest(const Segment& segment) {
    const std::lock_guard lock(mutex_);
    if (segments_.size() < 2 || segments_.front().get() != &segment) return nullptr;
    auto oldest = std::move(segments_.front());
    segments_.erase(segments_.begin());
    return oldest;
}

void SegmentSet::put_back(std::shared_ptr<Segment> oldest) {
    const std::lock_guard lock(mutex_);
    segments_.insert(segments_.begin(), std::move(oldest));
}

}  // namespace sluice::storage
