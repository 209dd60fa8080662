#include "storage/file_system.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <utility>

namespace sluice::storage {

namespace {

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

    Result<std::size_t> read_at(FilePosition from, std::span<std::byte> into) const override {
        std::size_t done = 0;
        while (done < into.size()) {
            const auto n =
                ::pread(fd_.get(), into.data() + done, into.size() - done, static_cast<off_t>(from.value() + done));
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) return failed("read");
            if (n == 0) break;
            done += static_cast<std::size_t>(n);
        }
        return done;
    }

    Result<void> write_at(FilePosition to, std::span<const std::byte> bytes) override {
        std::size_t done = 0;
        while (done < bytes.size()) {
            const auto n =
                ::pwrite(fd_.get(), bytes.data() + done, bytes.size() - done, static_cast<off_t>(to.value() + done));
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) return failed("write");
            done += static_cast<std::size_t>(n);
        }
        return {};
    }

    Result<void> sync_data() override {
        if (::fdatasync(fd_.get()) != 0) return failed("sync");
        return {};
    }

    Result<void> allocate(std::uint64_t size) override {
        if (::fallocate(fd_.get(), 0, 0, static_cast<off_t>(size)) == 0) return {};
        if (errno == EOPNOTSUPP || errno == ENOSYS) return {};
        return failed("reserve space for");
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

    Result<Timestamp> modified() const override {
        struct stat info {};
        if (::fstat(fd_.get(), &info) != 0) return failed("stat");
        return Timestamp(std::chrono::seconds(info.st_mtim.tv_sec) +
                         std::chrono::milliseconds(info.st_mtim.tv_nsec / 1'000'000));
    }

 private:
    [[nodiscard]] Error failed(std::string_view operation) const { return Error::from_errno(errno, operation, path_); }

    Descriptor fd_;
    std::string path_;
};

class PosixFileLock final : public FileLock {
 public:
    explicit PosixFileLock(Descriptor fd) : fd_(std::move(fd)) {}

 private:
    Descriptor fd_;
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

Result<std::unique_ptr<File>> PosixFileSystem::open(const std::string& path, OpenMode mode) {
    Descriptor fd(::open(path.c_str(), open_flags(mode) | O_CLOEXEC, 0640));
    if (fd.get() >= 0) return std::unique_ptr<File>(std::make_unique<PosixFile>(std::move(fd), path));
    if (errno == ENOENT && mode != OpenMode::create) return Error(Errc::not_found, path + ": no such file");
    return Error::from_errno(errno, mode == OpenMode::create ? "create" : "open", path);
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

Result<void> PosixFileSystem::sync_directory(const std::string& directory) {
    const Descriptor fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd.get() < 0) return Error::from_errno(errno, "open", directory);
    if (::fsync(fd.get()) != 0) return Error::from_errno(errno, "sync", directory);
    return {};
}

Result<std::unique_ptr<FileLock>> PosixFileSystem::lock(const std::string& path) {
    Descriptor fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640));
    if (fd.get() < 0) return Error::from_errno(errno, "create", path);
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) return Error::from_errno(errno, "lock", path);
        auto holder = read_file(*this, path);
        while (holder && !holder->empty() && holder->back() == '\n') holder->pop_back();
        return Error(Errc::locked, path + " is held by another sluice (process " +
                                       (holder && !holder->empty() ? *holder : "unknown") +
                                       "); stop it, or use another data_dir");
    }
    const std::string pid = std::to_string(::getpid()) + "\n";
    if (::ftruncate(fd.get(), 0) != 0 || ::pwrite(fd.get(), pid.data(), pid.size(), 0) < 0) {
        return Error::from_errno(errno, "write", path);
    }
    return std::unique_ptr<FileLock>(std::make_unique<PosixFileLock>(std::move(fd)));
}

Result<std::string> read_file(FileSystem& files, const std::string& path) {
    auto file = files.open(path, OpenMode::read);
    if (!file) return file.error();
    auto size = (*file)->size();
    if (!size) return size.error();
    std::string contents(*size, '\0');
    auto n = (*file)->read_at(FilePosition(0), std::as_writable_bytes(std::span(contents)));
    if (!n) return n.error();
    contents.resize(*n);
    return contents;
}

Result<void> replace_file(FileSystem& files, const std::string& directory, const std::string& name,
                          std::string_view contents) {
    const std::string path = directory + "/" + name;
    const std::string aside = path + ".new";
    if (auto gone = files.remove(aside); !gone) return gone;
    auto file = files.open(aside, OpenMode::create);
    if (!file) return file.error();
    if (auto done = (*file)->write_at(FilePosition(0), std::as_bytes(std::span(contents))); !done) return done;
    if (auto done = (*file)->sync_data(); !done) return done;
    if (auto done = files.rename(aside, path); !done) return done;
    return files.sync_directory(directory);
}

}  // namespace sluice::storage
