#include "storage/spare_segment.hpp"

#include <utility>

namespace sluice::storage {

SpareSegment::SpareSegment(FileSystem& files, DiskBudget& budget, const std::string& directory)
    : files_(files), budget_(budget), path_(directory + "/spare") {}

Result<void> SpareSegment::remove_left_behind() {
    return files_.remove(path_);
}

Result<void> SpareSegment::remove_file(const std::string& path, std::uint64_t bytes) {
    if (auto done = files_.remove(path); !done) return done;
    budget_.give_back(bytes);
    return {};
}

Result<void> SpareSegment::put(const std::string& segment_path, std::uint64_t bytes) {
    const std::lock_guard lock(mutex_);
    if (bytes_ > 0 || bytes == 0) return remove_file(segment_path, bytes);
    // Renamed first: by its new name nobody opens it, so that what is found here stays true.
    if (auto done = files_.rename(segment_path, path_); !done) {
        // A full disk may have no block for one more name in the directory, and deleting needs none.
        if (done.error().kind() == Errc::no_space) return remove_file(segment_path, bytes);
        return done;
    }
    const auto file = files_.open(path_, OpenMode::read_write);
    if (!file || !(*file)->is_open_only_here()) return remove_file(path_, bytes);
    bytes_ = bytes;
    return {};
}

Result<std::uint64_t> SpareSegment::take(const std::string& segment_path) {
    const std::lock_guard lock(mutex_);
    if (bytes_ == 0) return std::uint64_t{0};
    if (auto done = files_.rename(path_, segment_path); !done) return done.error();
    return std::exchange(bytes_, 0);
}

Result<bool> SpareSegment::drop() {
    const std::lock_guard lock(mutex_);
    if (bytes_ == 0) return false;
    if (auto done = remove_file(path_, std::exchange(bytes_, 0)); !done) return done.error();
    return true;
}

}  // namespace sluice::storage
