// sim_file_system.hpp: a file system in memory that behaves as badly as a real one may.
//
// What was not synced may be lost at a crash, in any combination: sectors of a file one by one, a sector torn in two, a
// file's new size, and each new, renamed or removed directory entry by itself. From a seed, so that every run can be
// repeated. It also reads and writes less than was asked for, fails
// calls (EIO, ENOSPC), fills up, and flips bits. A sync that fails drops some of what it should have written: that
// stays readable, and no later sync writes it. Single-threaded. Sources of the idea: LevelDB's fault injection env,
// SQLite's crash tests.
#pragma once

#include "storage/file_system.hpp"

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace sluice::test {

class SimFileSystem final : public storage::FileSystem {
 public:
    explicit SimFileSystem(std::uint64_t seed) : random_(seed) {}

    // What a test does to it.
    /// The n-th change from now (0: the next one) is cut short, and from then on every call fails: the machine is down.
    void crash_at(std::uint64_t n) { crash_at_ = changes_ + n; }
    /// The n-th change from now fails, once: with EIO, or as on a full disk, a sync too (a thin volume, a network).
    void fail_at(std::uint64_t n, int error_number = EIO) {
        fail_at_ = changes_ + n;
        fail_with_ = error_number;
    }
    /// The n-th read from now fails with EIO, once.
    void fail_read_at(std::uint64_t n) {
        reads_ = 0;
        read_fails_at_ = n;
    }
    /// As btrfs, f2fs or UBIFS: each write needs room, in the middle of a file too.
    void never_write_in_place() { never_writes_in_place_ = true; }
    void calm_reads() { read_fails_at_.reset(); }
    /// The machine loses its power now, and comes up again with what a disk may have kept.
    void crash_and_reboot();
    [[nodiscard]] bool is_down() const { return down_; }
    /// No crash or failure is due any more.
    void calm();
    void set_capacity(std::uint64_t bytes) { capacity_ = bytes; }
    /// Flips a bit of what is on the medium. @return false where there is no such byte
    bool flip_bit(const std::string& path, std::uint64_t position, unsigned bit);
    void set_now(storage::Timestamp now) { now_ = now; }
    [[nodiscard]] std::uint64_t changes() const { return changes_; }

    // storage::FileSystem
    storage::Result<std::unique_ptr<storage::File>> open(const std::string& path, storage::OpenMode mode) override;
    storage::Result<storage::FileStatus> status(const std::string& path) override;
    storage::Result<std::uint64_t> free_bytes(const std::string& path) override;
    storage::Result<std::vector<std::string>> list(const std::string& directory) override;
    storage::Result<void> make_directories(const std::string& directory) override;
    storage::Result<void> rename(const std::string& from, const std::string& to) override;
    storage::Result<void> remove(const std::string& path) override;
    storage::Result<std::unique_ptr<storage::FileLock>> lock(const std::string& path) override;

 private:
    friend class SimFile;
    static constexpr std::size_t kSector = 512;

    struct Inode {
        std::vector<std::byte> now;      // what a reader sees
        std::vector<std::byte> durable;  // what is on the medium for sure
        std::set<std::size_t> dirty;     // sectors that a sync is going to write
        storage::Timestamp modified{};
        int handles = 0;  // that are open
    };
    /// A change of one directory entry, or the two of a rename.
    struct EntryChange {
        std::string directory;
        std::vector<std::pair<std::string, std::shared_ptr<Inode>>> entries;  // nullptr: gone
    };
    enum class Strike : std::uint8_t { none, fail, crash };

    storage::Result<void> sync_entries(const std::string& directory) override;
    [[nodiscard]] Strike strike();
    [[nodiscard]] storage::Error failure(Strike strike, const char* operation) const;
    [[nodiscard]] bool read_fails();
    [[nodiscard]] std::size_t some_of(std::size_t bytes);
    [[nodiscard]] storage::Error down(const char* operation) const;
    [[nodiscard]] std::uint64_t used() const;
    [[nodiscard]] bool toss(unsigned percent) { return random_() % 100 < percent; }
    void change_entry(EntryChange change);
    void settle(Inode& inode);

    std::mt19937_64 random_;
    std::map<std::string, std::shared_ptr<Inode>> files_;          // as seen
    std::map<std::string, std::shared_ptr<Inode>> durable_files_;  // as on the medium
    std::vector<EntryChange> unsynced_;                            // between the two, in order
    std::set<std::string> directories_;
    std::set<std::string> locks_;
    std::uint64_t changes_ = 0;
    std::optional<std::uint64_t> crash_at_;
    std::optional<std::uint64_t> fail_at_;
    int fail_with_ = 0;
    std::uint64_t reads_ = 0;  // since fail_read_at()
    std::optional<std::uint64_t> read_fails_at_;
    bool down_ = false;
    bool never_writes_in_place_ = false;
    std::uint64_t capacity_ = std::uint64_t{1} << 40U;
    storage::Timestamp now_{std::chrono::milliseconds(1'700'000'000'000)};
};

}  // namespace sluice::test
