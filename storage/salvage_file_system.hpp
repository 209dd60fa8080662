// salvage_file_system.hpp: reads what a failing medium still gives, for `sluice log verify` and its repair.
//
// A running agent takes a read error for what it is: it waits and tries again, as the cable of a disk may be loose.
// Only an operator decides that what can't be read is lost; then it is damage like any other.
#pragma once

#include "storage/file_system.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace sluice::storage {

/// Everything goes to `files`, but a block of a file opened for reading that can't be read (EIO) is 0xFF all over.
class SalvageFileSystem final : public FileSystem {
 public:
    static constexpr std::size_t kBlockBytes = 4096;
    /// Told of each such block, each time that it is met.
    using OnUnreadable = std::function<void(const std::string& path, FilePosition block)>;
    SalvageFileSystem(FileSystem& files, OnUnreadable on_unreadable)
        : files_(files), on_unreadable_(std::move(on_unreadable)) {}

    [[nodiscard]] Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override;
    [[nodiscard]] Result<FileStatus> status(const std::string& path) override { return files_.status(path); }
    [[nodiscard]] Result<std::uint64_t> free_bytes(const std::string& path) override { return files_.free_bytes(path); }
    [[nodiscard]] Result<std::vector<std::string>> list(const std::string& directory) override {
        return files_.list(directory);
    }
    [[nodiscard]] Result<void> make_directories(const std::string& directory) override {
        return files_.make_directories(directory);
    }
    [[nodiscard]] Result<void> rename(const std::string& from, const std::string& to) override {
        return files_.rename(from, to);
    }
    [[nodiscard]] Result<void> remove(const std::string& path) override { return files_.remove(path); }
    [[nodiscard]] Result<std::unique_ptr<FileLock>> lock(const std::string& path) override { return files_.lock(path); }

 private:
    [[nodiscard]] Result<void> sync_entries(const std::string& directory) override {
        return files_.sync_directory(directory);
    }

    FileSystem& files_;
    OnUnreadable on_unreadable_;
};

}  // namespace sluice::storage
