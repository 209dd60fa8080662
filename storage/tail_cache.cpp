#include "storage/tail_cache.hpp"

#include <algorithm>
#include <utility>

namespace sluice::storage {

void TailCache::add(const BatchHeader& header, Bytes batch) {
    const std::lock_guard lock(mutex_);
    bytes_ += batch->size();
    entries_.push_back({header.base_offset, header.next_offset(), std::move(batch)});
    shrink();
}

std::deque<TailCache::Entry>::const_iterator TailCache::ending_after(Offset offset) const {
    return std::upper_bound(entries_.begin(), entries_.end(), offset,
                            [](Offset o, const Entry& entry) { return o < entry.next_offset; });
}

TailCache::Bytes TailCache::find(Offset offset) const {
    const std::lock_guard lock(mutex_);
    if (entries_.empty() || offset < entries_.front().base_offset) return nullptr;
    const auto found = ending_after(offset);
    return found == entries_.end() ? nullptr : found->batch;
}

std::optional<Offset> TailCache::first_after(Offset offset) const {
    const std::lock_guard lock(mutex_);
    const auto found = ending_after(offset);
    return found == entries_.end() ? std::nullopt : std::optional(found->base_offset);
}

void TailCache::pin_from(Offset first) {
    const std::lock_guard lock(mutex_);
    pinned_from_ = first;
    shrink();
}

std::vector<TailCache::Entry> TailCache::pinned() const {
    const std::lock_guard lock(mutex_);
    const auto first = std::find_if(entries_.begin(), entries_.end(),
                                    [&](const Entry& entry) { return entry.base_offset >= pinned_from_; });
    return {first, entries_.end()};
}

std::size_t TailCache::pinned_bytes() const {
    const std::lock_guard lock(mutex_);
    std::size_t bytes = 0;
    for (const auto& entry : entries_) bytes += entry.base_offset >= pinned_from_ ? entry.batch->size() : 0;
    return bytes;
}

void TailCache::shrink() {
    while (bytes_ > bytes_max_ && !entries_.empty() && entries_.front().base_offset < pinned_from_) {
        bytes_ -= entries_.front().batch->size();
        entries_.pop_front();
    }
}

}  // namespace sluice::storage
