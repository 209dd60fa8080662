#include "storage/log_dir.hpp"

#include <utility>

namespace sluice::storage {

namespace {

/// Makes the directory and those above it, with the entry of each in the one above it synced.
Result<void> make_durably(FileSystem& files, const std::string& directory) {
    const auto slash = directory.find_last_of('/');
    const auto there = files.status(directory);
    if (there || there.error().kind() != Errc::not_found || slash == std::string::npos) {
        return files.make_directories(directory);
    }
    const auto parent = slash == 0 ? std::string("/") : directory.substr(0, slash);
    if (auto done = make_durably(files, parent); !done) return done;
    if (auto done = files.make_directories(directory); !done) return done;
    return files.sync_directory(parent);
}

}  // namespace

std::string stream_directory(std::string_view data_dir, std::string_view stream) {
    return std::string(data_dir).append("/log/").append(stream).append(kPartitionSuffix);
}

LogDir::LogDir(FileSystem& files, const Clock& clock, std::string data_dir, const GapReport& on_gap,
               std::uint64_t quota_bytes, std::unique_ptr<FileLock> lock)
    : lock_(std::move(lock)),
      budget_(quota_bytes),
      context_{files, clock, budget_, on_gap, lock_.get()},
      uncounted_context_{files, clock, uncounted_, on_gap, lock_.get()},
      data_dir_(std::move(data_dir)) {}

Result<std::unique_ptr<LogDir>> LogDir::open(FileSystem& files, const Clock& clock, std::string data_dir,
                                             const GapReport& on_gap, std::uint64_t quota_bytes) {
    if (auto done = make_durably(files, data_dir); !done) return done.error();
    if (auto done = files.make_directories(data_dir + "/log"); !done) return done.error();
    auto lock = files.lock(data_dir + "/lock");
    if (!lock) return lock.error();
    if (auto done = files.sync_directory(data_dir); !done) return done.error();
    return std::unique_ptr<LogDir>(
        new LogDir(files, clock, std::move(data_dir), on_gap, quota_bytes, std::move(*lock)));
}

Result<Log*> LogDir::open_stream(std::string_view name, const LogOptions& options, const FinishedOf& finished_of) {
    if (auto* open = find(name)) return open;
    auto log = Log::open(options.counts_to_quota ? context_ : uncounted_context_, stream_directory(data_dir_, name),
                         std::string(name), options, finished_of);
    if (!log) return log.error();
    // The stream's own directory entry has to be durable before anything in it is acknowledged.
    if (auto done = context_.files.sync_directory(data_dir_ + "/log"); !done) return done.error();
    return logs_.emplace(name, std::move(*log)).first->second.get();
}

std::vector<Log*> LogDir::streams() const {
    std::vector<Log*> logs;
    for (const auto& [name, log] : logs_) logs.push_back(log.get());
    return logs;
}

Log* LogDir::find(std::string_view name) const {
    const auto found = logs_.find(name);
    return found == logs_.end() ? nullptr : found->second.get();
}

Result<void> LogDir::close() {
    Result<void> result;
    for (const auto& [name, log] : logs_) {
        if (auto done = log->close(); !done && result) result = done;
    }
    return result;
}

}  // namespace sluice::storage
