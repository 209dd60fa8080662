// log_dir.hpp: the data directory: the lock against a second agent, and the logs of all streams.
#pragma once

#include "storage/clock.hpp"
#include "storage/file_system.hpp"
#include "storage/log.hpp"
#include "storage/result.hpp"

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::storage {

class LogDir {
 public:
    /// Creates `data_dir` and `data_dir`/log where missing and takes the lock.
    /// @return Errc::locked with the holder's pid; Errc::io, Errc::no_space where the directory is of no use.
    /// @param quota_bytes  what the logs may take of the disk, all together
    [[nodiscard]] static Result<std::unique_ptr<LogDir>> open(FileSystem& files, const Clock& clock,
                                                              std::string data_dir, const GapReport& on_gap = {},
                                                              std::uint64_t quota_bytes = DiskBudget::kUnlimited);
    LogDir(const LogDir&) = delete;
    LogDir& operator=(const LogDir&) = delete;

    /// Opens the stream's log and recovers it, or creates it. A second call for a name returns the same log.
    /// Called before the threads start; the logs live as long as this object.
    [[nodiscard]] Result<Log*> open_stream(std::string_view name, const LogOptions& options,
                                           const FinishedOf& finished_of = {});
    [[nodiscard]] std::vector<Log*> streams() const;
    [[nodiscard]] Log* find(std::string_view name) const;  ///< nullptr where it is not open
    [[nodiscard]] const std::string& data_dir() const { return data_dir_; }
    [[nodiscard]] const DiskBudget& budget() const { return budget_; }

    /// A clean stop of all logs. No append may follow.
    /// @return the first error; the other logs are closed all the same.
    [[nodiscard]] Result<void> close();

 private:
    LogDir(FileSystem& files, const Clock& clock, std::string data_dir, const GapReport& on_gap,
           std::uint64_t quota_bytes, std::unique_ptr<FileLock> lock);

    const std::unique_ptr<FileLock> lock_;
    DiskBudget budget_;
    DiskBudget uncounted_;  // for logs that don't count
    const LogContext context_;
    const LogContext uncounted_context_;
    const std::string data_dir_;
    std::map<std::string, std::unique_ptr<Log>, std::less<>> logs_;
};

inline constexpr std::string_view kPartitionSuffix = "-0";
/// DATA_DIR/log/STREAM-0, as Kafka lays out partition 0 of a topic.
[[nodiscard]] std::string stream_directory(std::string_view data_dir, std::string_view stream);

}  // namespace sluice::storage
