#include "tests/support/sim_file_system.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace sluice::test {

using storage::Errc;
using storage::Error;
using storage::FilePosition;
using storage::OpenMode;
using storage::Result;

namespace {

constexpr std::uint64_t kInodeBytes = 64;  // a new file needs some room, though it counts nothing

std::string directory_of(const std::string& path) {
    return path.substr(0, path.rfind('/'));
}

Error eio(const char* operation) {
    return Error::from_errno(EIO, operation, "(simulated)");
}

}  // namespace

class SimFile final : public storage::File {
 public:
    SimFile(SimFileSystem& system, std::shared_ptr<SimFileSystem::Inode> inode)
        : system_(system), inode_(std::move(inode)) {
        ++inode_->handles;
    }
    SimFile(const SimFile&) = delete;
    SimFile& operator=(const SimFile&) = delete;
    ~SimFile() override { --inode_->handles; }

    Result<void> allocate(std::uint64_t size) override {
        if (system_.down_) return eio("allocate");
        if (const auto strike = system_.strike(); strike != SimFileSystem::Strike::none)
            return system_.failure(strike, "allocate");
        if (size <= inode_->now.size()) return {};
        if (!has_room(size - inode_->now.size())) return Error::from_errno(ENOSPC, "allocate", "(simulated)");
        const std::vector<std::byte> zeros(size - inode_->now.size());
        put(inode_->now.size(), zeros);
        return {};
    }

    Result<void> truncate(std::uint64_t size) override {
        if (system_.down_) return eio("truncate");
        if (const auto strike = system_.strike(); strike != SimFileSystem::Strike::none)
            return system_.failure(strike, "truncate");
        const auto old = inode_->now.size();
        if (size == old) return {};
        inode_->now.resize(size);
        for (auto at = std::min<std::size_t>(size, old); at < std::max<std::size_t>(size, old);
             at += SimFileSystem::kSector) {
            inode_->dirty.insert(at / SimFileSystem::kSector);
        }
        if (size > 0) inode_->dirty.insert((size - 1) / SimFileSystem::kSector);
        inode_->modified = system_.now_;
        return {};
    }

    Result<std::uint64_t> size() const override {
        if (system_.down_) return eio("stat");
        return static_cast<std::uint64_t>(inode_->now.size());
    }

    Result<void> set_modified(storage::Timestamp time) override {
        if (system_.down_) return eio("set the time");
        inode_->modified = time;
        return {};
    }

    bool is_open_only_here() override { return inode_->handles == 1; }

 private:
    Result<std::size_t> read_some(FilePosition from, std::span<std::byte> into) const override {
        if (system_.down_ || system_.read_fails()) return eio("read");
        const auto& bytes = inode_->now;
        if (from.value() >= bytes.size()) return std::size_t{0};
        const auto n = system_.some_of(std::min<std::size_t>(into.size(), bytes.size() - from.value()));
        std::memcpy(into.data(), bytes.data() + from.value(), n);
        return n;
    }

    Result<std::size_t> write_some(FilePosition to, std::span<const std::byte> bytes) override {
        if (system_.down_) return eio("write");
        const auto strike = system_.strike();
        // A write that fails, or during which the power goes, has written some of it.
        const bool whole = strike == SimFileSystem::Strike::none;
        const auto part = whole ? system_.some_of(bytes.size()) : system_.random_() % (bytes.size() + 1);
        const auto end = to.value() + part;
        const auto grown = end > inode_->now.size() ? end - inode_->now.size() : 0;
        if (!has_room(system_.never_writes_in_place_ ? part : grown)) {
            return Error::from_errno(ENOSPC, "write", "(simulated)");
        }
        put(to.value(), bytes.first(part));
        if (whole) return part;
        return system_.failure(strike, "write");
    }

    Result<void> sync() override {
        if (system_.down_) return eio("sync");
        const auto strike = system_.strike();
        // What the kernel could not write counts as written from now on: readable, and gone with the power.
        if (strike == SimFileSystem::Strike::fail) {
            std::erase_if(inode_->dirty, [this](std::size_t) { return system_.toss(60); });
        }
        if (strike != SimFileSystem::Strike::none) return system_.failure(strike, "sync");
        inode_->durable.resize(inode_->now.size());
        for (const auto sector : inode_->dirty) {
            const auto begin = static_cast<std::ptrdiff_t>(sector * SimFileSystem::kSector);
            const auto size = static_cast<std::ptrdiff_t>(inode_->now.size());
            if (begin >= size) continue;
            const auto end = std::min(begin + static_cast<std::ptrdiff_t>(SimFileSystem::kSector), size);
            std::copy(inode_->now.begin() + begin, inode_->now.begin() + end, inode_->durable.begin() + begin);
        }
        inode_->dirty.clear();
        return {};
    }

    [[nodiscard]] bool has_room(std::uint64_t bytes) const { return system_.used() + bytes <= system_.capacity_; }

    void put(std::size_t at, std::span<const std::byte> bytes) {
        if (bytes.empty()) return;
        const auto end = at + bytes.size();
        const auto first_touched = std::min(at, inode_->now.size());  // a hole before it becomes zeros
        if (end > inode_->now.size()) inode_->now.resize(end);
        std::copy(bytes.begin(), bytes.end(), inode_->now.begin() + static_cast<std::ptrdiff_t>(at));
        for (auto sector = first_touched / SimFileSystem::kSector; sector <= (end - 1) / SimFileSystem::kSector;
             ++sector) {
            inode_->dirty.insert(sector);
        }
        inode_->modified = system_.now_;
    }

    SimFileSystem& system_;
    std::shared_ptr<SimFileSystem::Inode> inode_;
};

namespace {

class SimLock final : public storage::FileLock {
 public:
    SimLock(std::set<std::string>& locks, std::string path) : locks_(locks), path_(std::move(path)) {
        locks_.insert(path_);
    }
    SimLock(const SimLock&) = delete;
    SimLock& operator=(const SimLock&) = delete;
    ~SimLock() override { locks_.erase(path_); }

 private:
    std::set<std::string>& locks_;
    std::string path_;
};

}  // namespace

storage::Error SimFileSystem::failure(Strike strike, const char* operation) const {
    return Error::from_errno(strike == Strike::fail ? fail_with_ : EIO, operation, "(simulated)");
}

SimFileSystem::Strike SimFileSystem::strike() {
    const auto number = changes_++;
    if (crash_at_ && number >= *crash_at_) {
        down_ = true;
        return Strike::crash;
    }
    if (fail_at_ && number >= *fail_at_) {
        fail_at_.reset();
        return Strike::fail;
    }
    return Strike::none;
}

bool SimFileSystem::read_fails() {
    if (!read_fails_at_ || reads_++ < *read_fails_at_) return false;
    read_fails_at_.reset();
    return true;
}

std::size_t SimFileSystem::some_of(std::size_t bytes) {
    return bytes > 1 && toss(5) ? 1 + random_() % bytes : bytes;
}

void SimFileSystem::calm() {
    read_fails_at_.reset();
    crash_at_.reset();
    fail_at_.reset();
}

std::uint64_t SimFileSystem::used() const {
    std::uint64_t bytes = 0;
    for (const auto& [path, inode] : files_) bytes += inode->now.size();
    return bytes;
}

/// What the medium has of a file after a crash: of each sector that was not synced the old or the new contents, or some
/// of both; and the old or the new size.
void SimFileSystem::settle(Inode& inode) {
    auto size = inode.durable.size();
    if (inode.now.size() != size && toss(50)) size = inode.now.size();
    auto settled = inode.durable;
    settled.resize(std::max(inode.now.size(), inode.durable.size()));
    for (const auto sector : inode.dirty) {
        const auto begin = sector * kSector;
        const auto end = std::min(begin + kSector, inode.now.size());
        if (begin >= end || toss(40)) continue;
        const auto until = toss(85) ? end : begin + random_() % (end - begin);
        std::copy(inode.now.begin() + static_cast<std::ptrdiff_t>(begin),
                  inode.now.begin() + static_cast<std::ptrdiff_t>(until),
                  settled.begin() + static_cast<std::ptrdiff_t>(begin));
    }
    settled.resize(size);
    inode.now = inode.durable = std::move(settled);
    inode.dirty.clear();
}

void SimFileSystem::crash_and_reboot() {
    calm();
    down_ = false;
    for (const auto& change : unsynced_) {
        if (toss(50)) continue;  // each by itself: a later one may be there and an earlier one not
        for (const auto& [path, inode] : change.entries) {
            if (inode)
                durable_files_[path] = inode;
            else
                durable_files_.erase(path);
        }
    }
    unsynced_.clear();
    files_ = durable_files_;
    std::set<Inode*> settled;
    for (const auto& [path, inode] : files_) {
        if (settled.insert(inode.get()).second) settle(*inode);
    }
    locks_.clear();
}

bool SimFileSystem::flip_bit(const std::string& path, std::uint64_t position, unsigned bit) {
    const auto found = files_.find(path);
    if (found == files_.end() || position >= found->second->now.size()) return false;
    for (auto* bytes : {&found->second->now, &found->second->durable}) {
        if (position < bytes->size()) (*bytes)[position] ^= static_cast<std::byte>(1U << bit);
    }
    return true;
}

void SimFileSystem::change_entry(EntryChange change) {
    for (const auto& [path, inode] : change.entries) {
        if (inode)
            files_[path] = inode;
        else
            files_.erase(path);
    }
    unsynced_.push_back(std::move(change));
}

Result<std::unique_ptr<storage::File>> SimFileSystem::open(const std::string& path, OpenMode mode) {
    if (down_) return eio("open");
    auto found = files_.find(path);
    if (found == files_.end()) {
        if (mode != OpenMode::create) return Error(Errc::not_found, path + ": no such file");
        if (const auto how = strike(); how != Strike::none) return failure(how, "create");
        if (used() + kInodeBytes > capacity_) return Error::from_errno(ENOSPC, "create", "(simulated)");
        auto inode = std::make_shared<Inode>();
        inode->modified = now_;
        change_entry({directory_of(path), {{path, inode}}});
        found = files_.find(path);
    }
    return std::unique_ptr<storage::File>(std::make_unique<SimFile>(*this, found->second));
}

Result<storage::FileStatus> SimFileSystem::status(const std::string& path) {
    if (down_) return eio("stat");
    const auto found = files_.find(path);
    if (found == files_.end()) return Error(Errc::not_found, path + ": no such file");
    return storage::FileStatus{found->second->now.size(), found->second->modified};
}

Result<std::uint64_t> SimFileSystem::free_bytes(const std::string& /*path*/) {
    if (down_) return eio("stat");
    return capacity_ - std::min(capacity_, used());
}

Result<std::vector<std::string>> SimFileSystem::list(const std::string& directory) {
    if (down_) return eio("list");
    std::vector<std::string> names;
    for (const auto& [path, inode] : files_) {
        if (directory_of(path) == directory) names.push_back(path.substr(directory.size() + 1));
    }
    for (const auto& path : directories_) {
        if (directory_of(path) == directory) names.push_back(path.substr(directory.size() + 1));
    }
    std::sort(names.begin(), names.end());
    return names;
}

Result<void> SimFileSystem::make_directories(const std::string& directory) {
    if (down_) return eio("create directory");
    directories_.insert(directory);  // directories themselves are never lost here: files in them are
    return {};
}

Result<void> SimFileSystem::rename(const std::string& from, const std::string& to) {
    if (down_) return eio("rename");
    if (const auto how = strike(); how != Strike::none) return failure(how, "rename");
    const auto found = files_.find(from);
    if (found == files_.end()) return Error::from_errno(ENOENT, "rename", from);
    change_entry({directory_of(to), {{from, nullptr}, {to, found->second}}});
    return {};
}

Result<void> SimFileSystem::remove(const std::string& path) {
    if (down_) return eio("remove");
    if (!files_.contains(path)) return {};
    if (const auto how = strike(); how != Strike::none) return failure(how, "remove");
    change_entry({directory_of(path), {{path, nullptr}}});
    return {};
}

Result<void> SimFileSystem::sync_entries(const std::string& directory) {
    if (down_) return eio("sync");
    if (const auto how = strike(); how != Strike::none) return failure(how, "sync");
    std::vector<EntryChange> others;
    for (auto& change : unsynced_) {
        if (change.directory != directory) {
            others.push_back(std::move(change));
            continue;
        }
        for (const auto& [path, inode] : change.entries) {
            if (inode)
                durable_files_[path] = inode;
            else
                durable_files_.erase(path);
        }
    }
    unsynced_ = std::move(others);
    return {};
}

Result<std::unique_ptr<storage::FileLock>> SimFileSystem::lock(const std::string& path) {
    if (down_) return eio("lock");
    if (locks_.contains(path)) return Error(Errc::locked, path + " is held");
    return std::unique_ptr<storage::FileLock>(std::make_unique<SimLock>(locks_, path));
}

}  // namespace sluice::test
