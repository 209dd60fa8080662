// fault_file_system.hpp: the real file system, failing when a test says so, and counting what was synced.
//
// The n-th change (write, truncate, allocate, rename, remove, create, sync) fails, once or from then on. A failing
// write leaves half of its bytes behind, as a full disk may. Thread-safe.
#pragma once

#include "storage/file_system.hpp"

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <string>

namespace sluice::test {

struct Faults {
    std::atomic<int> fail_at{-1};  ///< the number of the change that fails; -1: none
    std::atomic<int> error_number{EIO};
    std::atomic<bool> lasting{false};       ///< and all after it
    std::atomic<bool> fail_creates{false};  ///< no file or directory that isn't there can be made
    std::atomic<bool> fail_syncs{false};
    std::atomic<bool> hang_syncs{false};  ///< a sync waits for as long as this is set
    /// Of every file: what can't be read.
    std::atomic<std::uint64_t> unreadable_from{0};
    std::atomic<std::uint64_t> unreadable_to{0};
    std::atomic<int> changes{0};
    std::atomic<int> syncs{0};

    /// Counts a change; true where it fails.
    bool strike() {
        const int number = changes++;
        const int at = fail_at;
        return at >= 0 && (number == at || (lasting && number > at));
    }
};

class FaultFileSystem : public storage::FileSystem {
 public:
    explicit FaultFileSystem(Faults& faults) : faults_(faults) {}

    storage::Result<std::unique_ptr<storage::File>> open(const std::string& path, storage::OpenMode mode) override;
    storage::Result<storage::FileStatus> status(const std::string& path) override { return real_.status(path); }
    storage::Result<std::uint64_t> free_bytes(const std::string& path) override { return real_.free_bytes(path); }
    storage::Result<std::vector<std::string>> list(const std::string& directory) override {
        return real_.list(directory);
    }
    storage::Result<void> make_directories(const std::string& directory) override;
    storage::Result<void> rename(const std::string& from, const std::string& to) override;
    storage::Result<void> remove(const std::string& path) override;
    storage::Result<std::unique_ptr<storage::FileLock>> lock(const std::string& path) override {
        return real_.lock(path);
    }

 protected:
    storage::Result<void> sync_entries(const std::string& directory) override;

 private:
    Faults& faults_;
    storage::PosixFileSystem real_;
};

}  // namespace sluice::test
