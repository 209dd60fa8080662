// spare_segment.hpp: the file of a deleted segment, kept to be written again as the next one.
//
// Why: preallocated space has to be written before it is used, or each sync writes a journal too
// (docs/decisions/preallocation.md). What an old segment leaves is written already, so a log that deletes as much as it
// appends writes nothing ahead: docs/decisions/spare-segment.md.
// Invariants
//   - nobody has the file open, in any process: a reader must not see one segment's bytes turn into another's.
//   - it counts to the disk budget for as long as it is kept.
//   - it holds offsets below those of the segment that it becomes, which is how recovery tells what is stale.
// Thread-safe: the clean thread puts, the log thread takes.
#pragma once

#include "storage/disk_budget.hpp"
#include "storage/file_system.hpp"
#include "storage/result.hpp"
#include "storage/types.hpp"

#include <cstdint>
#include <mutex>
#include <string>

namespace sluice::storage {

class SpareSegment {
 public:
    SpareSegment(FileSystem& files, DiskBudget& budget, const std::string& directory);

    /// Removes what an earlier process has left. Called once, before anything else: its offsets mean nothing here.
    [[nodiscard]] Result<void> remove_left_behind();
    /// Takes the file of a closed segment over, of `bytes` in the budget; or removes it, where there is a spare
    /// already, someone still reads it, or a full disk has no room for its name.
    [[nodiscard]] Result<void> put(const std::string& segment_path, std::uint64_t bytes);
    /// Gives the spare the name `segment_path`. @return its size; 0: there is none, and no such file
    [[nodiscard]] Result<std::uint64_t> take(const std::string& segment_path);
    /// Removes it, to make room. @return whether there was one
    [[nodiscard]] Result<bool> drop();

 private:
    [[nodiscard]] Result<void> remove_file(const std::string& path, std::uint64_t bytes);

    FileSystem& files_;
    DiskBudget& budget_;
    const std::string path_;
    std::mutex mutex_;
    std::uint64_t bytes_ = 0;  // 0: there is none
};

}  // namespace sluice::storage
