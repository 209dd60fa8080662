// sync_bench: ways to make an append durable, on space that was written ahead. One line a figure, tab-separated, as
// log_bench. Run by ./dev bench sync; docs/decisions/system-calls.md has what came of it.
//
//   sync_bench DIR
#include <fcntl.h>
#include <liburing.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <string>
#include <vector>

namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr int kRounds = 5;
constexpr std::size_t kFileBytes = 64U << 20U;

void check(bool good, const char* what) {
    if (good) return;
    std::perror(what);
    std::exit(1);
}

class Ring {
 public:
    Ring() { check(io_uring_queue_init(4, &ring_, 0) == 0, "io_uring_queue_init"); }
    Ring(const Ring&) = delete;
    Ring& operator=(const Ring&) = delete;
    ~Ring() { io_uring_queue_exit(&ring_); }

    /// A write and a sync that waits for it, in one system call.
    void write_and_sync(int fd, const std::vector<char>& bytes, std::size_t at) {
        auto* write = io_uring_get_sqe(&ring_);
        io_uring_prep_write(write, fd, bytes.data(), static_cast<unsigned>(bytes.size()), at);
        write->flags |= IOSQE_IO_LINK;
        io_uring_prep_fsync(io_uring_get_sqe(&ring_), fd, IORING_FSYNC_DATASYNC);
        check(io_uring_submit_and_wait(&ring_, 2) == 2, "io_uring_submit");
        for (int i = 0; i < 2; ++i) {
            io_uring_cqe* done = nullptr;
            check(io_uring_wait_cqe(&ring_, &done) == 0 && done->res >= 0, "io_uring");
            io_uring_cqe_seen(&ring_, done);
        }
    }

 private:
    io_uring ring_{};
};

using Append = std::function<void(int, const std::vector<char>&, std::size_t)>;

double microseconds_each(const std::string& path, std::size_t piece, int count, const Append& append) {
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600);
    check(fd >= 0, "open");
    const std::vector<char> zeros(1U << 20U);
    for (std::size_t at = 0; at < kFileBytes; at += zeros.size()) {
        check(::pwrite(fd, zeros.data(), zeros.size(), static_cast<off_t>(at)) > 0, "pwrite");
    }
    check(::fsync(fd) == 0, "fsync");
    const std::vector<char> bytes(piece, 'x');
    const auto start = SteadyClock::now();
    for (int i = 0; i < count; ++i) append(fd, bytes, static_cast<std::size_t>(i) * piece);
    const std::chrono::duration<double, std::micro> time = SteadyClock::now() - start;
    ::close(fd);
    ::unlink(path.c_str());
    return time.count() / count;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) return 2;
    Ring ring;
    const std::vector<std::pair<const char*, Append>> ways = {
        {"pwrite, fdatasync",
         [](int fd, const auto& bytes, std::size_t at) {
             check(::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(at)) > 0 && ::fdatasync(fd) == 0,
                   "pwrite");
         }},
        {"pwritev2 with RWF_DSYNC",
         [](int fd, const auto& bytes, std::size_t at) {
             const iovec part{const_cast<char*>(bytes.data()), bytes.size()};
             check(::pwritev2(fd, &part, 1, static_cast<off_t>(at), RWF_DSYNC) > 0, "pwritev2");
         }},
        {"io_uring, write linked to fdatasync",
         [&](int fd, const auto& bytes, std::size_t at) { ring.write_and_sync(fd, bytes, at); }},
    };
    for (const std::size_t piece : {std::size_t{4096}, std::size_t{65536}, std::size_t{1} << 20U}) {
        const int count = static_cast<int>(std::min<std::size_t>(1000, kFileBytes / piece));
        std::vector<std::vector<double>> times(ways.size());
        for (int round = 0; round < kRounds; ++round) {  // in turns: the machine's mood changes
            for (std::size_t way = 0; way < ways.size(); ++way) {
                times[way].push_back(
                    microseconds_each(std::string(argv[1]) + "/sync-bench", piece, count, ways[way].second));
            }
        }
        const auto median = [&](std::size_t way) {
            std::sort(times[way].begin(), times[way].end());
            return times[way][kRounds / 2];
        };
        const double baseline = median(0);
        for (std::size_t way = 0; way < ways.size(); ++way) {
            const double time = median(way);
            std::cout << ways[way].first << ", " << piece / 1024 << " KiB\t" << time << "\tus\t" << baseline << '\t'
                      << time / baseline << "\t\t" << std::endl;
        }
    }
    return 0;
}
