// cleaner.hpp: the `clean` thread: retention, compaction, and room on a full disk.
//
// It works on closed segments only, at a bounded rate, so that commits never starve.
#pragma once

#include "storage/clock.hpp"
#include "storage/file_system.hpp"
#include "storage/log_dir.hpp"
#include "storage/quota.hpp"
#include "storage/result.hpp"

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace sluice::storage {

struct CleanerOptions {
    std::chrono::milliseconds interval = std::chrono::seconds(10);  ///< how often it looks for work
    std::uint64_t bytes_per_second = 32U << 20U;                    ///< read and written, at most
    std::size_t table_bytes = 10U << 20U;                           ///< memory of a compaction
};

class Cleaner {
 public:
    struct Counters {
        std::uint64_t passes = 0;  ///< compactions that changed something
        std::uint64_t bytes_freed = 0;
        std::uint64_t records_left_out = 0;
        std::uint64_t failures = 0;
        std::uint64_t bytes_paced = 0;  ///< read and written by passes, finished or not
    };
    /// Called on the clean thread.
    struct Observer {
        /// Closes a log's active segment, on the log thread, some time later.
        std::function<void(Log&)> roll;
        std::function<void()> on_room;  ///< writes that found no space may be tried again
        /// Something could not be cleaned; told once for each text.
        std::function<void(const Log&, const Error&)> on_trouble;
        /// The files of a log are between two states: the process has to end, and the next start puts it right.
        std::function<void(const Error&)> on_fatal;
    };

    /// @param logs  outlives the cleaner
    Cleaner(FileSystem& files, const Clock& clock, const LogDir& logs, CleanerOptions options, Observer observer);
    ~Cleaner();  ///< as stop()
    Cleaner(const Cleaner&) = delete;
    Cleaner& operator=(const Cleaner&) = delete;

    /// `log` has found no space: makes some, now. Thread-safe, returns at once.
    void make_room(const Log& log);
    /// Ends the thread, interrupting a compaction.
    void stop();
    [[nodiscard]] Counters counters() const;

 private:
    void run();
    void look_after(Log& log);
    void make_room_for(const Log& wanting);
    bool quarantine(Log& log, const Pace& pace);
    enum class While : std::uint8_t { cleaning, making_room };  ///< who waits for room interrupts only the first
    [[nodiscard]] bool pace(std::size_t bytes, While what = While::cleaning);
    void report(const Log& log, const Error& error);
    [[nodiscard]] bool stopping() const;

    FileSystem& files_;
    const Clock& clock_;
    const LogDir& logs_;
    const CleanerOptions options_;
    const Observer observer_;
    Quota quota_;
    std::set<std::string> reported_;
    mutable std::mutex mutex_;
    std::condition_variable wake_;
    std::set<const Log*> wanting_;  // have found no space
    Counters counters_;
    std::chrono::steady_clock::time_point paced_until_{};  ///< when what was spent is through, at the rate
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace sluice::storage
