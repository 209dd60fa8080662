#include "tests/support/fault_file_system.hpp"

#include <chrono>
#include <thread>
#include <utility>

namespace sluice::test {

namespace {

using storage::Error;
using storage::FilePosition;
using storage::Result;

Error injected(const Faults& faults, const char* operation) {
    return Error::from_errno(faults.error_number, operation, "(injected)");
}

class FaultFile final : public storage::File {
 public:
    FaultFile(std::unique_ptr<storage::File> real, Faults& faults) : real_(std::move(real)), faults_(faults) {}

    Result<void> allocate(std::uint64_t size) override {
        if (faults_.strike()) return injected(faults_, "reserve space for");
        return real_->allocate(size);
    }
    Result<void> truncate(std::uint64_t size) override {
        if (faults_.strike()) return injected(faults_, "truncate");
        return real_->truncate(size);
    }
    Result<std::uint64_t> size() const override { return real_->size(); }
    Result<void> set_modified(storage::Timestamp time) override { return real_->set_modified(time); }
    bool is_open_only_here() override { return real_->is_open_only_here(); }

 private:
    Result<std::size_t> read_some(FilePosition from, std::span<std::byte> into) const override {
        const bool readable =
            from.value() >= faults_.unreadable_to || from.value() + into.size() <= faults_.unreadable_from;
        return readable ? real_->read_at(from, into) : Error::from_errno(EIO, "read", "(injected)");
    }
    Result<std::size_t> write_some(FilePosition to, std::span<const std::byte> bytes) override {
        const bool whole = !faults_.strike();
        const auto part = whole ? bytes : bytes.first(bytes.size() / 2);
        if (auto done = real_->write_at(to, part); !done) return done.error();
        if (whole) return part.size();
        return injected(faults_, "write");
    }

    Result<void> sync() override {
        ++faults_.syncs;
        while (faults_.hang_syncs) std::this_thread::sleep_for(std::chrono::milliseconds(1));
        if (faults_.strike() || faults_.fail_syncs) return injected(faults_, "sync");
        return real_->sync_data();
    }

    std::unique_ptr<storage::File> real_;
    Faults& faults_;
};

}  // namespace

Result<std::unique_ptr<storage::File>> FaultFileSystem::open(const std::string& path, storage::OpenMode mode) {
    if (mode == storage::OpenMode::create && (faults_.strike() || (faults_.fail_creates && !real_.status(path)))) {
        return injected(faults_, "create");
    }
    auto real = real_.open(path, mode);
    if (!real) return real.error();
    return std::unique_ptr<storage::File>(std::make_unique<FaultFile>(std::move(*real), faults_));
}

Result<void> FaultFileSystem::make_directories(const std::string& directory) {
    if (faults_.fail_creates && !real_.status(directory)) return injected(faults_, "create directory");
    return real_.make_directories(directory);
}

Result<void> FaultFileSystem::rename(const std::string& from, const std::string& to) {
    if (faults_.strike()) return injected(faults_, "rename");
    return real_.rename(from, to);
}

Result<void> FaultFileSystem::remove(const std::string& path) {
    if (faults_.strike()) return injected(faults_, "remove");
    return real_.remove(path);
}

Result<void> FaultFileSystem::sync_entries(const std::string& directory) {
    if (faults_.strike()) return injected(faults_, "sync");
    return real_.sync_directory(directory);
}

}  // namespace sluice::test
