// segment_set.hpp: the segments of a log in order, shared by the thread that appends, the one that cleans, and readers.
//
// Thread-safe. Never empty; the last one is active.
#pragma once

#include "storage/segment.hpp"
#include "storage/types.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <vector>

namespace sluice::storage {

class SegmentSet {
 public:
    using Segments = std::vector<std::shared_ptr<Segment>>;

    void add_active(std::shared_ptr<Segment> segment);
    void add_closed(std::shared_ptr<Segment> segment) { add_active(std::move(segment)); }

    /// The segment that holds `offset`: the last one that starts at or before it, or the first one.
    [[nodiscard]] std::shared_ptr<const Segment> find(Offset offset) const;
    [[nodiscard]] Segments all() const;
    /// The base offset of the first segment that starts after `offset`.
    [[nodiscard]] std::optional<Offset> first_base_after(Offset offset) const;
    /// All but the active one.
    [[nodiscard]] Segments closed() const;
    [[nodiscard]] Offset start_offset() const;
    [[nodiscard]] std::uint64_t size_bytes() const;

    /// While it is held, a segment's files are what the segment says: the cleaner replaces none. For the time that it
    /// takes to find a segment and open its files, and never twice in one thread.
    [[nodiscard]] std::shared_lock<std::shared_mutex> keep_files() const { return std::shared_lock(files_mutex_); }
    /// For the cleaner: held from the first change of the files of segments until replace() has told of it.
    [[nodiscard]] std::unique_lock<std::shared_mutex> change_files() { return std::unique_lock(files_mutex_); }

    /// Puts `merged` in the place of the closed segments from its base offset up to its next base.
    void replace(std::shared_ptr<Segment> merged);
    /// Puts `begun` in the place of the only one, which was to be made.
    void replace_unmade(std::shared_ptr<Segment> begun);
    /// Takes the oldest out, if that is `segment` and not the active one; else nullptr.
    [[nodiscard]] std::shared_ptr<Segment> remove_oldest(const Segment& segment);
    /// What remove_oldest() has taken out, as its files could not be removed: those after it must not go before it.
    void put_back(std::shared_ptr<Segment> oldest);

 private:
    mutable std::shared_mutex files_mutex_;  // taken before mutex_
    mutable std::mutex mutex_;
    Segments segments_;
};

}  // namespace sluice::storage
