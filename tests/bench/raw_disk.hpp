// raw_disk.hpp: what a disk does without a log: the baseline of durable appends.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

namespace sluice::bench {

/// Writes and syncs one piece after the other, over space that is there already, as the log does.
class RawDisk {
 public:
    /// @param total  a multiple of `piece`
    RawDisk(std::string path, std::size_t piece, std::uint64_t total)
        : path_(std::move(path)),
          fd_(::open(path_.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600)),
          piece_(piece),
          total_(total) {
        write_all(std::vector<char>(piece), false);
        if (::fsync(fd_) != 0) std::exit(1);
    }
    RawDisk(const RawDisk&) = delete;
    RawDisk& operator=(const RawDisk&) = delete;
    ~RawDisk() {
        ::close(fd_);
        ::unlink(path_.c_str());
    }

    [[nodiscard]] double bytes_per_second() const {
        std::vector<char> bytes(piece_);
        for (std::size_t i = 0; i < piece_; ++i) bytes[i] = static_cast<char>(i * 2654435761U >> 13U);
        const auto start = std::chrono::steady_clock::now();
        write_all(bytes, true);
        const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
        return static_cast<double>(total_) / time.count();
    }

 private:
    void write_all(const std::vector<char>& bytes, bool sync) const {
        for (std::uint64_t at = 0; at < total_; at += piece_) {
            if (::pwrite(fd_, bytes.data(), piece_, static_cast<off_t>(at)) < 0) std::exit(1);
            if (sync && ::fdatasync(fd_) != 0) std::exit(1);
        }
    }

    const std::string path_;
    const int fd_;
    const std::size_t piece_;
    const std::uint64_t total_;
};

}  // namespace sluice::bench
