#include "agent/private_file.hpp"

#include "agent/config_text_file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

namespace sluice::agent {

using storage::Errc;
using storage::Error;
using storage::Result;

namespace {

class Descriptor {
 public:
    explicit Descriptor(int fd) : fd_(fd) {}
    ~Descriptor() {
        if (fd_ >= 0) ::close(fd_);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    [[nodiscard]] int get() const { return fd_; }

 private:
    int fd_;
};

/// A file that is written beside the one that it will replace; removed where it doesn't come to that.
class Aside {
 public:
    explicit Aside(const std::string& target) : name_(target + ".XXXXXX"), fd_(::mkostemp(name_.data(), O_CLOEXEC)) {}
    ~Aside() {
        if (fd_.get() >= 0 && !renamed_) ::unlink(name_.c_str());
    }
    Aside(const Aside&) = delete;
    Aside& operator=(const Aside&) = delete;

    [[nodiscard]] bool is_open() const { return fd_.get() >= 0; }

    /// The owner first: changing it may take bits off the mode.
    Result<void> take_over(const struct stat& old) {
        struct stat own {};
        if (::fstat(fd_.get(), &own) != 0) return Error::from_errno(errno, "stat", name_);
        const bool same = own.st_uid == old.st_uid && own.st_gid == old.st_gid;
        if (!same && ::fchown(fd_.get(), old.st_uid, old.st_gid) != 0) {
            return Error::from_errno(errno, "keep the owner of", name_);
        }
        if (::fchmod(fd_.get(), old.st_mode & 07777U) != 0) return Error::from_errno(errno, "keep the mode of", name_);
        return {};
    }

    Result<void> write(std::string_view text) {
        while (!text.empty()) {
            const auto written = ::write(fd_.get(), text.data(), text.size());
            if (written < 0 && errno != EINTR) return Error::from_errno(errno, "write", name_);
            if (written > 0) text.remove_prefix(static_cast<std::size_t>(written));
        }
        if (::fsync(fd_.get()) != 0) return Error::from_errno(errno, "sync", name_);
        return {};
    }

    Result<void> rename_to(const std::string& target) {
        if (::rename(name_.c_str(), target.c_str()) != 0) return Error::from_errno(errno, "replace", target);
        renamed_ = true;
        return {};
    }

 private:
    std::string name_;
    Descriptor fd_;
    bool renamed_ = false;
};

/// What there is of a file; nullopt: nothing.
Result<std::optional<struct stat>> status_of(const std::string& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) {
        if (errno == ENOENT) return std::optional<struct stat>();
        return Error::from_errno(errno, "stat", path);
    }
    // /dev/null, replaced by somebody who may, would be missed.
    if (!S_ISREG(status.st_mode)) return Error(Errc::invalid, path + " is not a regular file");
    return std::optional(status);
}

/// Where the file is or will be, past symbolic links.
Result<std::filesystem::path> resolve(const std::string& path) {
    std::error_code error;
    auto target = std::filesystem::weakly_canonical(std::filesystem::absolute(path, error), error);
    if (error) return Error::from_errno(error.value(), "find", path);
    return target;
}

Result<void> replace(const std::string& target, const std::optional<struct stat>& old, std::string_view text) {
    Aside aside(target);
    if (!aside.is_open()) return Error::from_errno(errno, "write beside", target);
    if (old) {
        if (auto done = aside.take_over(*old); !done) return done;
    }
    if (auto done = aside.write(text); !done) return done;
    return aside.rename_to(target);
}

}  // namespace

Result<void> change_private_file(const std::string& path, std::size_t bytes_max, const Change& change) {
    const auto target = resolve(path);
    if (!target) return target.error();
    const auto directory = target->parent_path().string();
    const Descriptor lock(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (lock.get() < 0) return Error::from_errno(errno, "open", directory);
    // Held until the end. The directory's, as the file itself is replaced.
    if (::flock(lock.get(), LOCK_EX) != 0) return Error::from_errno(errno, "lock", directory);
    const auto status = status_of(target->string());
    if (!status) return status.error();
    std::optional<std::string> old;
    if (*status) {
        auto text = read_text_file(target->string(), bytes_max);
        if (!text) return text.error();
        old = std::move(*text);
    }
    const auto text = change(old);
    if (!text) return text.error();
    if (text->size() > bytes_max) return Error(Errc::invalid, path + " would be too large");
    if (auto done = replace(target->string(), *status, *text); !done) return done;
    if (::fsync(lock.get()) != 0) return Error::from_errno(errno, "sync", directory);
    return {};
}

}  // namespace sluice::agent
