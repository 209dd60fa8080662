#include "storage/salvage_file_system.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace sluice::storage {

namespace {

constexpr std::size_t kBlockBytes = SalvageFileSystem::kBlockBytes;

class SalvageFile final : public File {
 public:
    SalvageFile(std::unique_ptr<File> file, std::string path, const SalvageFileSystem::OnUnreadable& on_unreadable)
        : file_(std::move(file)), path_(std::move(path)), on_unreadable_(on_unreadable) {}

    Result<void> allocate(std::uint64_t size) override { return file_->allocate(size); }
    Result<void> truncate(std::uint64_t size) override { return file_->truncate(size); }
    Result<std::uint64_t> size() const override { return file_->size(); }
    Result<void> set_modified(Timestamp time) override { return file_->set_modified(time); }
    bool is_open_only_here() override { return file_->is_open_only_here(); }

 private:
    Result<std::size_t> read_some(FilePosition from, std::span<std::byte> into) const override {
        const auto got = file_->read_at(from, into);
        if (got || got.error().code().value() != EIO) return got;
        // Up to the next block alone, so that no more is given up than has to be.
        const auto block = into.first(at_most(into.size(), kBlockBytes - from.value() % kBlockBytes));
        const auto part = file_->read_at(from, block);
        if (part || part.error().code().value() != EIO) return part;
        on_unreadable_(path_, FilePosition(from.value() - from.value() % kBlockBytes));
        std::fill(block.begin(), block.end(), std::byte{0xFF});
        return block.size();
    }
    Result<std::size_t> write_some(FilePosition to, std::span<const std::byte> bytes) override {
        if (auto done = file_->write_at(to, bytes); !done) return done.error();
        return bytes.size();
    }

    Result<void> sync() override { return file_->sync_data(); }

    std::unique_ptr<File> file_;
    const std::string path_;
    const SalvageFileSystem::OnUnreadable& on_unreadable_;
};

}  // namespace

Result<std::unique_ptr<File>> SalvageFileSystem::open(const std::string& path, OpenMode mode) {
    auto file = files_.open(path, mode);
    if (!file || mode != OpenMode::read) return file;
    return std::unique_ptr<File>(std::make_unique<SalvageFile>(std::move(*file), path, on_unreadable_));
}

}  // namespace sluice::storage
