// file_system.hpp: every touch of the disk by the log goes through these two interfaces.
//
// Why: tests run the log on a file system that tears writes, forgets what was not synced, returns EIO and ENOSPC,
// and crashes at any call. Nothing in storage/ calls the operating system's file functions but PosixFileSystem
// (SQLite has its own).
#pragma once

#include "storage/result.hpp"
#include "storage/types.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace sluice::storage {

/// An open file. One thread writes; any thread reads.
class File {
 public:
    virtual ~File() = default;

    /// Reads up to `into.size()` bytes at `from`; fewer only at the end of the file.
    [[nodiscard]] Result<std::size_t> read_at(FilePosition from, std::span<std::byte> into) const;
    /// Writes all of `bytes`, or returns an error after having written any part of them.
    [[nodiscard]] Result<void> write_at(FilePosition to, std::span<const std::byte> bytes);
    /// Returns once the data, and the size where it changed, are on the medium (fdatasync).
    /// @return Errc::sync_failed, whatever the system says, a full disk included: it says it once, and may have dropped
    ///         what it could not write, so that no later sync makes up for it.
    [[nodiscard]] Result<void> sync_data();
    /// Makes the file at least `size` bytes long. The new bytes are zero and written, not only reserved: a later write
    /// over them changes no metadata, so that a sync of it writes data and no journal
    /// (docs/decisions/preallocation.md).
    [[nodiscard]] virtual Result<void> allocate(std::uint64_t size) = 0;
    [[nodiscard]] virtual Result<void> truncate(std::uint64_t size) = 0;
    [[nodiscard]] virtual Result<std::uint64_t> size() const = 0;
    /// Sets the time of the last change, which a rewritten file takes over from the one that it replaces.
    [[nodiscard]] virtual Result<void> set_modified(Timestamp time) = 0;
    /// Whether this is the only open handle of the file, in all processes. False too where that can't be known.
    [[nodiscard]] virtual bool is_open_only_here() = 0;

 private:
    /// As pread(2) and pwrite(2): as many bytes as the system likes, at least one; reading, none at the end of the
    /// file.
    [[nodiscard]] virtual Result<std::size_t> read_some(FilePosition from, std::span<std::byte> into) const = 0;
    [[nodiscard]] virtual Result<std::size_t> write_some(FilePosition to, std::span<const std::byte> bytes) = 0;
    [[nodiscard]] virtual Result<void> sync() = 0;
};

enum class OpenMode : std::uint8_t {
    read,        ///< must exist
    read_write,  ///< must exist
    create,      ///< read and write; created empty where missing
};

struct FileStatus {
    std::uint64_t size_bytes = 0;
    Timestamp modified{};  ///< time of the last change of the contents
};

/// Held for as long as the object lives.
class FileLock {
 public:
    virtual ~FileLock() = default;
    /// @return Errc::locked where the file was removed or replaced meanwhile: another process may hold one of that name
    [[nodiscard]] virtual Result<void> check() const { return {}; }
};

class FileSystem {
 public:
    virtual ~FileSystem() = default;

    /// Errc::not_found where it must exist and doesn't.
    [[nodiscard]] virtual Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) = 0;
    /// @return Errc::not_found where there is no such file.
    [[nodiscard]] virtual Result<FileStatus> status(const std::string& path) = 0;
    /// Bytes that can still be written to the file system that holds `path`.
    [[nodiscard]] virtual Result<std::uint64_t> free_bytes(const std::string& path) = 0;
    /// The names in a directory, sorted, without "." and "..".
    [[nodiscard]] virtual Result<std::vector<std::string>> list(const std::string& directory) = 0;
    /// Creates the directory and those above it; fine where it exists.
    [[nodiscard]] virtual Result<void> make_directories(const std::string& directory) = 0;
    /// Atomic; replaces `to`. Durable only after sync_directory().
    [[nodiscard]] virtual Result<void> rename(const std::string& from, const std::string& to) = 0;
    [[nodiscard]] virtual Result<void> remove(const std::string& path) = 0;
    /// Returns once the entries of the directory (files made, renamed, removed) are on the medium.
    /// @return Errc::sync_failed, as File::sync_data().
    [[nodiscard]] Result<void> sync_directory(const std::string& directory);
    /// Takes an exclusive lock on `path` and writes the process id into it.
    /// @return Errc::locked, naming the holder.
    [[nodiscard]] virtual Result<std::unique_ptr<FileLock>> lock(const std::string& path) = 0;

 private:
    [[nodiscard]] virtual Result<void> sync_entries(const std::string& directory) = 0;
};

/// The real one.
class PosixFileSystem final : public FileSystem {
 public:
    [[nodiscard]] Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override;
    [[nodiscard]] Result<FileStatus> status(const std::string& path) override;
    [[nodiscard]] Result<std::uint64_t> free_bytes(const std::string& path) override;
    [[nodiscard]] Result<std::vector<std::string>> list(const std::string& directory) override;
    [[nodiscard]] Result<void> make_directories(const std::string& directory) override;
    [[nodiscard]] Result<void> rename(const std::string& from, const std::string& to) override;
    [[nodiscard]] Result<void> remove(const std::string& path) override;
    [[nodiscard]] Result<std::unique_ptr<FileLock>> lock(const std::string& path) override;

 private:
    [[nodiscard]] Result<void> sync_entries(const std::string& directory) override;
};

/// Reads the whole of a small file. @return Errc::corrupt: it has more than kSmallFileBytesMax, so it is none
inline constexpr std::uint64_t kSmallFileBytesMax = 4U << 20U;
[[nodiscard]] Result<std::string> read_file(FileSystem& files, const std::string& path);

/// `wanted` where there is no such file, or else the first of wanted-2, wanted-3 …
[[nodiscard]] Result<std::string> free_name(FileSystem& files, const std::string& wanted);

/// Replaces `name` in `directory` by `contents`: written aside, synced, renamed, and the directory synced, so that
/// after a crash either the old or the new contents are there.
[[nodiscard]] Result<void> replace_file(FileSystem& files, const std::string& directory, const std::string& name,
                                        std::string_view contents);

}  // namespace sluice::storage
