#include "agent/snapshot.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace sluice::agent {

namespace {

constexpr double kMicro = 1e6;

double seconds_of(const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / kMicro;
}

std::uint64_t resident_bytes() {
    std::ifstream file("/proc/self/statm");
    std::uint64_t total = 0;
    std::uint64_t resident = 0;
    file >> total >> resident;
    return file ? resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)) : 0;
}

std::uint64_t entries_of(const char* directory) {
    std::error_code error;
    std::uint64_t count = 0;
    for (std::filesystem::directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
        ++count;
    }
    return count;
}

const storage::Timestamp kStarted =
    std::chrono::time_point_cast<storage::Timestamp::duration>(std::chrono::system_clock::now());

}  // namespace

ProcessSnapshot read_process() {
    ProcessSnapshot process;
    rusage usage{};
    if (::getrusage(RUSAGE_SELF, &usage) == 0) {
        process.cpu_seconds = seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
    }
    process.resident_bytes = resident_bytes();
    const auto fds = entries_of("/proc/self/fd");
    process.open_fds = fds > 0 ? fds - 1 : 0;  // one is the directory that is read
    process.threads = entries_of("/proc/self/task");
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) process.max_fds = limit.rlim_cur;
    process.started = kStarted;
    return process;
}

std::uint64_t Snapshot::received() const {
    return ingest.received + (listener ? listener->local_only : 0);
}

std::uint64_t Snapshot::accepted() const {
    return ingest.accepted + (listener ? listener->accepted : 0);
}

std::uint64_t Snapshot::forwarded() const {
    std::uint64_t records = 0;
    for (const auto& stream : streams) records += stream.forwarding ? stream.forwarding->forwarded : 0;
    return records;
}

std::uint64_t Snapshot::backlog() const {
    std::uint64_t records = 0;
    for (const auto& stream : streams) records += stream.forwarding ? stream.forwarding->backlog : 0;
    return records;
}

}  // namespace sluice::agent
