// disk_reserve.hpp: a little space kept back, for what has to be written to make room on a full disk.
//
// Compaction and thinning write what is left before they delete what was there, which a disk that is full to the last
// byte has no room for. Source: the same reason for which file systems keep blocks for root.
//
// Used by the clean thread.
#pragma once

#include "storage/file_system.hpp"
#include "storage/result.hpp"

#include <string>

namespace sluice::storage {

class DiskReserve {
 public:
    static constexpr std::uint64_t kBytes = 1U << 20U;

    DiskReserve(FileSystem& files, std::string path) : files_(files), path_(std::move(path)) {}

    /// Takes the space where it isn't taken, or as much of it as there is. A disk that has none is no error: later.
    void keep();
    /// Gives it to the file system. @return whether there was any
    [[nodiscard]] Result<bool> give();

 private:
    FileSystem& files_;
    const std::string path_;
    std::uint64_t kept_ = 0;
};

}  // namespace sluice::storage
