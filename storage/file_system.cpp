#include "storage/file_system.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <utility>

namespace sluice::storage {

namespace {

constexpr std::size_t kZeroBytes = 64U << 10U;

class Descriptor {
 public:
    explicit Descriptor(int fd) : fd_(fd) {}
    Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    Descriptor& operator=(Descriptor&&) = delete;
    ~Descriptor() {
        if (fd_ >= 0) ::close(fd_);
    }
    [[nodiscard]] int get() const { return fd_; }

 private:
    int fd_;
};

class PosixFile final : public File {
 public:
    PosixFile(Descriptor fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

    Result<void> allocate(std::uint64_t size) override {
        auto old_size = this->size();
        if (!old_size) return old_size.error();
        // Reserved first: in one piece, and a full disk is found before anything is written.
        if (::fallocate(fd_.get(), 0, 0, static_cast<off_t>(size)) != 0 && errno != EOPNOTSUPP && errno != ENOSYS) {
            return failed("reserve space for");
        }
        static const std::array<std::byte, kZeroBytes> zeros{};
        for (auto at = *old_size; at < size;) {
            const auto part = at_most(zeros.size(), size - at);
            if (auto done = write_at(FilePosition(at), std::span(zeros).first(part)); !done) return done;
            at += part;
        }
        return {};
    }

    Result<void> truncate(std::uint64_t size) override {
        if (::ftruncate(fd_.get(), static_cast<off_t>(size)) != 0) return failed("truncate");
        return {};
    }

    Result<std::uint64_t> size() const override {
        struct stat info {};
        if (::fstat(fd_.get(), &info) != 0) return failed("stat");
        return static_cast<std::uint64_t>(info.st_size);
    }

    Result<void> set_modified(Timestamp time) override {
        const auto millis = time.time_since_epoch().count();
        const timespec at{static_cast<time_t>(millis / 1000), static_cast<long>(millis % 1000) * 1'000'000};
        const std::array<timespec, 2> times{at, at};
        if (::futimens(fd_.get(), times.data()) != 0) return failed("set the time of");
        return {};
    }

    bool is_open_only_here() override {
        // A write lease is given only where no one else has the file open. Source: fcntl(2). Whoever opens it in this
        // moment has a signal sent to us: one that is ignored, instead of SIGIO, which would end the process.
        if (::fcntl(fd_.get(), F_SETSIG, SIGURG) != 0) return false;
        if (::fcntl(fd_.get(), F_SETLEASE, F_WRLCK) != 0) return false;
        return ::fcntl(fd_.get(), F_SETLEASE, F_UNLCK) == 0;
    }

 private:
    Result<std::size_t> read_some(FilePosition from, std::span<std::byte> into) const override {
        for (;;) {
            const auto n = ::pread(fd_.get(), into.data(), into.size(), static_cast<off_t>(from.value()));
            if (n >= 0) return static_cast<std::size_t>(n);
            if (errno != EINTR) return failed("read");
        }
    }

    Result<std::size_t> write_some(FilePosition to, std::span<const std::byte> bytes) override {
        for (;;) {
            const auto n = ::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(to.value()));
            if (n >= 0) return static_cast<std::size_t>(n);
            if (errno != EINTR) return failed("write");
        }
    }

    Result<void> sync() override {
        if (::fdatasync(fd_.get()) != 0) return failed("sync");
        return {};
    }

    [[nodiscard]] Error failed(std::string_view operation) const { return Error::from_errno(errno, operation, path_); }

    Descriptor fd_;
    std::string path_;
};

class PosixFileLock final : public FileLock {
 public:
    PosixFileLock(Descriptor fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

    Result<void> check() const override {
        struct stat held {};
        struct stat named {};
        if (::fstat(fd_.get(), &held) != 0) return Error::from_errno(errno, "stat", path_);
        const bool there = ::stat(path_.c_str(), &named) == 0;
        if (!there && errno != ENOENT) return Error::from_errno(errno, "stat", path_);
        if (there && held.st_ino == named.st_ino && held.st_dev == named.st_dev) return {};
        return Error(Errc::locked, path_ + " was " + (there ? "replaced" : "removed") +
                                       " while this process held it, so another sluice may use the directory; nothing "
                                       "more is written: start it again, and leave that file alone");
    }

 private:
    Descriptor fd_;
    std::string path_;
};

int open_flags(OpenMode mode) {
    switch (mode) {
        case OpenMode::read:
            return O_RDONLY;
        case OpenMode::read_write:
            return O_RDWR;
        case OpenMode::create:
            return O_RDWR | O_CREAT;
    }
    return O_RDONLY;
}

}  // namespace

Result<std::size_t> File::read_at(FilePosition from, std::span<std::byte> into) const {
    std::size_t done = 0;
    while (done < into.size()) {
        const auto got = read_some(from + done, into.subspan(done));
        if (!got) return got.error();
        if (*got == 0) break;
        done += *got;
    }
    return done;
}

Result<void> File::write_at(FilePosition to, std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const auto put = write_some(to, bytes);
        if (!put) return put.error();
        to = to + *put;
        bytes = bytes.subspan(*put);
    }
    return {};
}

Result<void> File::sync_data() {
    if (auto done = sync(); !done) return done.error().of_sync();
    return {};
}

Result<void> FileSystem::sync_directory(const std::string& directory) {
    if (auto done = sync_entries(directory); !done) return done.error().of_sync();
    return {};
}

Result<std::unique_ptr<File>> PosixFileSystem::open(const std::string& path, OpenMode mode) {
    Descriptor fd(::open(path.c_str(), open_flags(mode) | O_CLOEXEC, 0640));
    if (fd.get() >= 0) return std::unique_ptr<File>(std::make_unique<PosixFile>(std::move(fd), path));
    if (errno == ENOENT && mode != OpenMode::create) return Error(Errc::not_found, path + ": no such file");
    return Error::from_errno(errno, mode == OpenMode::create ? "create" : "open", path);
}

Result<FileStatus> PosixFileSystem::status(const std::string& path) {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) {
        if (errno == ENOENT) return Error(Errc::not_found, path + ": no such file");
        return Error::from_errno(errno, "stat", path);
    }
    return FileStatus{static_cast<std::uint64_t>(info.st_size),
                      Timestamp(std::chrono::seconds(info.st_mtim.tv_sec) +
                                std::chrono::milliseconds(info.st_mtim.tv_nsec / 1'000'000))};
}

Result<std::uint64_t> PosixFileSystem::free_bytes(const std::string& path) {
    struct statvfs info {};
    if (::statvfs(path.c_str(), &info) != 0) return Error::from_errno(errno, "stat the file system of", path);
    return static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize;
}

Result<std::vector<std::string>> PosixFileSystem::list(const std::string& directory) {
    std::vector<std::string> names;
    std::error_code error;
    for (std::filesystem::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
        names.push_back(it->path().filename().string());
    }
    if (error) return Error::from_errno(error.value(), "list", directory);
    std::sort(names.begin(), names.end());
    return names;
}

Result<void> PosixFileSystem::make_directories(const std::string& directory) {
    std::error_code error;
    std::filesystem::create_directories(directory, error);
    if (error) return Error::from_errno(error.value(), "create directory", directory);
    return {};
}

Result<void> PosixFileSystem::rename(const std::string& from, const std::string& to) {
    if (::rename(from.c_str(), to.c_str()) != 0) return Error::from_errno(errno, "rename", from);
    return {};
}

Result<void> PosixFileSystem::remove(const std::string& path) {
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) return Error::from_errno(errno, "remove", path);
    return {};
}

Result<void> PosixFileSystem::sync_entries(const std::string& directory) {
    const Descriptor fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd.get() < 0) return Error::from_errno(errno, "open", directory);
    if (::fsync(fd.get()) != 0) return Error::from_errno(errno, "sync", directory);
    return {};
}

namespace {

Result<std::unique_ptr<FileLock>> lock_once(FileSystem& files, const std::string& path) {
    Descriptor fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640));
    if (fd.get() < 0) return Error::from_errno(errno, "create", path);
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) return Error::from_errno(errno, "lock", path);
        auto holder = read_file(files, path);
        while (holder && !holder->empty() && holder->back() == '\n') holder->pop_back();
        return Error(Errc::locked, path + " is held by another sluice (process " +
                                       (holder && !holder->empty() ? *holder : "unknown") +
                                       "); stop it, or use another data_dir");
    }
    const std::string pid = std::to_string(::getpid()) + "\n";
    // In place of the last one: it needs no block where there is none to have. Only a person reads it.
    const bool written = ::pwrite(fd.get(), pid.data(), pid.size(), 0) >= 0 &&
                         ::ftruncate(fd.get(), static_cast<off_t>(pid.size())) == 0;
    if (!written && errno != ENOSPC) return Error::from_errno(errno, "write", path);
    return std::unique_ptr<FileLock>(std::make_unique<PosixFileLock>(std::move(fd), path));
}

}  // namespace

Result<std::unique_ptr<FileLock>> PosixFileSystem::lock(const std::string& path) {
    // Whoever held it may have ended, and somebody removed its file, between the opening and the locking.
    for (;;) {
        auto lock = lock_once(*this, path);
        if (!lock) return lock.error();
        if (const auto done = (*lock)->check(); done || done.error().kind() != Errc::locked) return lock;
    }
}

Result<std::string> read_file(FileSystem& files, const std::string& path) {
    auto file = files.open(path, OpenMode::read);
    if (!file) return file.error();
    auto size = (*file)->size();
    if (!size) return size.error();
    if (*size > kSmallFileBytesMax) {
        return Error(Errc::corrupt, path + " has " + std::to_string(*size) + " bytes: it is damaged");
    }
    std::string contents(static_cast<std::size_t>(*size), '\0');
    auto n = (*file)->read_at(FilePosition(0), std::as_writable_bytes(std::span(contents)));
    if (!n) return n.error();
    contents.resize(*n);
    return contents;
}

Result<std::string> free_name(FileSystem& files, const std::string& wanted) {
    auto name = wanted;
    for (int n = 2;; ++n) {
        const auto status = files.status(name);
        if (!status && status.error().kind() == Errc::not_found) return name;
        if (!status) return status.error();
        name = wanted + "-" + std::to_string(n);
    }
}

Result<void> replace_file(FileSystem& files, const std::string& directory, const std::string& name,
                          std::string_view contents) {
    const std::string path = directory + "/" + name;
    const std::string aside = path + ".new";
    if (auto gone = files.remove(aside); !gone) return gone;
    auto file = files.open(aside, OpenMode::create);
    if (!file) return file.error();
    if (auto done = (*file)->write_at(FilePosition(0), std::as_bytes(std::span(contents))); !done) return done;
    if (auto done = (*file)->sync_data(); !done) return done.error().of_scrapped_file();
    if (auto done = files.rename(aside, path); !done) return done;
    return files.sync_directory(directory);
}

}  // namespace sluice::storage
