// tail_cache.hpp: the newest batches of a log in memory, so that readers who keep up don't read from disk.
//
// For a log with durability "memory" it is more than a cache: what was not written yet is pinned.
// Thread-safe: one thread adds, any thread looks up.
#pragma once

#include "storage/record_batch.hpp"
#include "storage/types.hpp"

#include <cstddef>
#include <deque>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

namespace sluice::storage {

class TailCache {
 public:
    using Bytes = std::shared_ptr<const std::vector<std::byte>>;
    struct Entry {
        Offset base_offset;
        Offset next_offset;
        Bytes batch;  ///< whole and uncompressed
    };

    /// @param bytes_max  batches beyond this are dropped, the oldest first
    explicit TailCache(std::size_t bytes_max) : bytes_max_(bytes_max) {}

    /// Adds the batch that follows those that are there.
    void add(const BatchHeader& header, Bytes batch);
    /// The batch that holds `offset`, or nullptr where it is not (or no longer) here.
    [[nodiscard]] Bytes find(Offset offset) const;
    /// The base offset of the first batch here that ends after `offset`.
    [[nodiscard]] std::optional<Offset> first_after(Offset offset) const;

    /// From now on batches at or after `first` are not dropped.
    void pin_from(Offset first);
    /// The pinned batches, in order.
    [[nodiscard]] std::vector<Entry> pinned() const;
    [[nodiscard]] std::size_t pinned_bytes() const;

 private:
    [[nodiscard]] std::deque<Entry>::const_iterator ending_after(Offset offset) const;
    void shrink();

    const std::size_t bytes_max_;
    mutable std::mutex mutex_;
    std::deque<Entry> entries_;  // contiguous
    std::size_t bytes_ = 0;
    Offset pinned_from_{std::numeric_limits<std::int64_t>::max()};
};

}  // namespace sluice::storage
