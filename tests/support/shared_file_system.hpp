// shared_file_system.hpp: the real file system, with another process that writes between any two of our reads.
#pragma once

#include "storage/file_system.hpp"

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace sluice::test {

class SharedFileSystem final : public storage::FileSystem {
 public:
    /// Called after each read of a file.
    std::function<void()> after_read;

    storage::Result<std::unique_ptr<storage::File>> open(const std::string& path, storage::OpenMode mode) override {
        auto file = real_.open(path, mode);
        if (!file) return file.error();
        return std::unique_ptr<storage::File>(std::make_unique<SharedFile>(*this, std::move(*file)));
    }
    storage::Result<storage::FileStatus> status(const std::string& path) override { return real_.status(path); }
    storage::Result<std::uint64_t> free_bytes(const std::string& path) override { return real_.free_bytes(path); }
    storage::Result<std::vector<std::string>> list(const std::string& directory) override {
        return real_.list(directory);
    }
    storage::Result<void> make_directories(const std::string& directory) override {
        return real_.make_directories(directory);
    }
    storage::Result<void> rename(const std::string& from, const std::string& to) override {
        return real_.rename(from, to);
    }
    storage::Result<void> remove(const std::string& path) override { return real_.remove(path); }
    storage::Result<std::unique_ptr<storage::FileLock>> lock(const std::string& path) override {
        return real_.lock(path);
    }

 private:
    storage::Result<void> sync_entries(const std::string& directory) override {
        return real_.sync_directory(directory);
    }

    class SharedFile final : public storage::File {
     public:
        SharedFile(SharedFileSystem& files, std::unique_ptr<storage::File> real)
            : files_(files), real_(std::move(real)) {}
        storage::Result<void> allocate(std::uint64_t size) override { return real_->allocate(size); }
        storage::Result<void> truncate(std::uint64_t size) override { return real_->truncate(size); }
        storage::Result<std::uint64_t> size() const override { return real_->size(); }
        storage::Result<void> set_modified(storage::Timestamp time) override { return real_->set_modified(time); }
        bool is_open_only_here() override { return false; }

     private:
        storage::Result<void> sync() override { return real_->sync_data(); }
        storage::Result<std::size_t> read_some(storage::FilePosition from, std::span<std::byte> into) const override {
            auto got = real_->read_at(from, into);
            if (files_.after_read) files_.after_read();
            return got;
        }
        storage::Result<std::size_t> write_some(storage::FilePosition to, std::span<const std::byte> bytes) override {
            if (auto done = real_->write_at(to, bytes); !done) return done.error();
            return bytes.size();
        }

        SharedFileSystem& files_;
        std::unique_ptr<storage::File> real_;
    };

    storage::PosixFileSystem real_;
};

}  // namespace sluice::test
