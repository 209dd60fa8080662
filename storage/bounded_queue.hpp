// bounded_queue.hpp: the hand-over between threads: a bound in items and in bytes, and back pressure when full.
//
// A full queue blocks its producers; an item larger than the bytes bound is taken when the queue is empty, so that
// nothing can get stuck. Any number of producers, one consumer.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <utility>
#include <vector>

namespace sluice::storage {

template <class T>
class BoundedQueue {
 public:
    BoundedQueue(std::size_t items_max, std::size_t bytes_max) : items_max_(items_max), bytes_max_(bytes_max) {}

    /// Waits for room and queues the item.
    /// @return false where the queue is closed: the item was not taken.
    [[nodiscard]] bool push(T&& item, std::size_t bytes) {
        std::unique_lock lock(mutex_);
        room_.wait(lock, [&] { return closed_ || has_room(bytes); });
        if (closed_) return false;
        items_.emplace_back(std::move(item), bytes);
        bytes_ += bytes;
        filled_.notify_one();
        return true;
    }

    /// Queues the item whether there is room or not; for the few items that must not wait.
    [[nodiscard]] bool push_now(T&& item) {
        const std::lock_guard lock(mutex_);
        if (closed_) return false;
        items_.emplace_back(std::move(item), 0);
        filled_.notify_one();
        return true;
    }

    /// Waits for an item; then, until `deadline` after the first or until `bytes_wanted` are there, for company.
    /// Takes items up to `bytes_wanted`, and at least one. Empty: the queue is closed and drained.
    [[nodiscard]] std::vector<T> pop(std::chrono::milliseconds linger, std::size_t bytes_wanted) {
        std::unique_lock lock(mutex_);
        filled_.wait(lock, [&] { return closed_ || !items_.empty(); });
        if (linger.count() > 0) {
            filled_.wait_for(lock, linger, [&] {
                return closed_ || bytes_ >= bytes_wanted || items_.size() >= items_max_ || bytes_ >= bytes_max_;
            });
        }
        std::vector<T> taken;
        std::size_t taken_bytes = 0;
        while (!items_.empty() && (taken.empty() || taken_bytes + items_.front().second <= bytes_wanted)) {
            taken_bytes += items_.front().second;
            taken.push_back(std::move(items_.front().first));
            items_.pop_front();
        }
        bytes_ -= taken_bytes;
        room_.notify_all();
        return taken;
    }

    /// Refuses further items; what is queued can still be popped.
    void close() {
        const std::lock_guard lock(mutex_);
        closed_ = true;
        room_.notify_all();
        filled_.notify_all();
    }

    [[nodiscard]] std::size_t size() const {
        const std::lock_guard lock(mutex_);
        return items_.size();
    }

 private:
    [[nodiscard]] bool has_room(std::size_t bytes) const {
        return items_.empty() || (items_.size() < items_max_ && bytes_ + bytes <= bytes_max_);
    }

    const std::size_t items_max_;
    const std::size_t bytes_max_;
    mutable std::mutex mutex_;
    std::condition_variable room_;
    std::condition_variable filled_;
    std::deque<std::pair<T, std::size_t>> items_;
    std::size_t bytes_ = 0;
    bool closed_ = false;
};

}  // namespace sluice::storage
