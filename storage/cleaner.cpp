#include "storage/cleaner.hpp"

#include "storage/compaction.hpp"
#include "storage/quarantine.hpp"
#include "storage/retention.hpp"

#include <algorithm>
#include <utility>

namespace sluice::storage {

namespace {

constexpr std::size_t kReportedMax = 100;
constexpr auto kPauseMin = std::chrono::milliseconds(5);

}  // namespace

Cleaner::Cleaner(FileSystem& files, const Clock& clock, const LogDir& logs, CleanerOptions options, Observer observer)
    : files_(files),
      clock_(clock),
      logs_(logs),
      options_(options),
      observer_(std::move(observer)),
      quota_(files, clock, observer_.roll, logs.data_dir() + "/log/reserve"),
      thread_([this] { run(); }) {}

Cleaner::~Cleaner() {
    stop();
}

void Cleaner::make_room(const Log& log) {
    {
        const std::lock_guard lock(mutex_);
        wanting_.insert(&log);
    }
    wake_.notify_one();
}

void Cleaner::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_all();
    if (thread_.joinable()) thread_.join();
}

bool Cleaner::stopping() const {
    const std::lock_guard lock(mutex_);
    return stopping_;
}

Cleaner::Counters Cleaner::counters() const {
    const std::lock_guard lock(mutex_);
    return counters_;
}

void Cleaner::run() {
    while (!stopping()) {
        quota_.keep_reserve(logs_.streams());
        for (auto* log : logs_.streams()) {
            if (!stopping()) look_after(*log);
        }
        std::unique_lock lock(mutex_);
        const auto next = std::chrono::steady_clock::now() + options_.interval;
        while (!stopping_ && (!wanting_.empty() || std::chrono::steady_clock::now() < next)) {
            if (wanting_.empty()) {
                wake_.wait_until(lock, next, [this] { return stopping_ || !wanting_.empty(); });
                continue;
            }
            const auto* wanting = *wanting_.begin();
            wanting_.erase(wanting_.begin());
            lock.unlock();
            make_room_for(*wanting);
            lock.lock();
        }
    }
}

void Cleaner::look_after(Log& log) {
    const Pace paced = [this](std::size_t bytes) { return pace(bytes); };
    for (const auto& segment : log.segments().closed()) {
        const auto done = segment->repair_indexes(paced);
        log.count_indexes(*segment);
        // On a full disk they wait: readers do without, and whoever writes has said it.
        if (!done && (done.error().kind() == Errc::no_space || done.error().kind() == Errc::closed)) break;
        if (!done && done.error().kind() != Errc::not_found) report(log, done.error());
        if (stopping()) return;
    }
    // Appends roll too, but a stream may have gone quiet, and only what is closed can be cleaned.
    const auto active = log.segments().all().back();
    const bool old = active->age(clock_) > log.options().segment_age;
    if (old && active->end_position() > FilePosition(0) && observer_.roll) observer_.roll(log);
    if (auto done = delete_expired(files_, log, clock_); !done) report(log, done.error());
    if (!log.options().compacts()) return;
    for (bool more = true; more;) {
        const auto result = compact(files_, log, clock_, {.table_bytes = options_.table_bytes}, paced);
        if (!result) {
            if (result.error().kind() == Errc::corrupt && quarantine(log, paced)) continue;
            return report(log, result.error());
        }
        more = result->more;
        const std::lock_guard lock(mutex_);
        counters_.passes += result->records_left_out > 0 ? 1U : 0U;
        counters_.bytes_freed += result->bytes_freed;
        counters_.records_left_out += static_cast<std::uint64_t>(result->records_left_out);
    }
}

void Cleaner::make_room_for(const Log& wanting) {
    // The commits of all other streams go on meanwhile, on the same disk.
    const Pace paced = [this](std::size_t bytes) { return pace(bytes, While::making_room); };
    const auto room = quota_.make_room(logs_.streams(), wanting, paced);
    if (!room) return report(wanting, room.error());
    if (*room == Quota::Room::made && observer_.on_room) observer_.on_room();
}

/// @return whether there was damage, which is out of the way now
bool Cleaner::quarantine(Log& log, const Pace& pace) {
    const auto found = quarantine_damage(files_, log, pace);
    if (!found) report(log, found.error());
    return found && *found;
}

/// Spends the bytes: sleeps until they would be through at the rate. What is a moment only is slept for later, with
/// others: a timed wait for each small batch takes far longer than the batch.
bool Cleaner::pace(std::size_t bytes, While what) {
    const auto interrupted = [&] { return stopping_ || (what == While::cleaning && !wanting_.empty()); };
    const std::chrono::duration<double> time(static_cast<double>(bytes) /
                                             static_cast<double>(options_.bytes_per_second));
    std::unique_lock lock(mutex_);
    counters_.bytes_paced += bytes;
    using SteadyClock = std::chrono::steady_clock;
    const auto now = SteadyClock::now();
    paced_until_ = std::max(paced_until_, now) + std::chrono::duration_cast<SteadyClock::duration>(time);
    if (paced_until_ - now >= kPauseMin) wake_.wait_until(lock, paced_until_, interrupted);
    return !interrupted();
}

void Cleaner::report(const Log& log, const Error& error) {
    if (error.kind() == Errc::closed) return;  // interrupted
    {
        const std::lock_guard lock(mutex_);
        ++counters_.failures;
    }
    if (error.kind() == Errc::sync_failed && observer_.on_fatal) return observer_.on_fatal(error);
    if (reported_.size() >= kReportedMax || !reported_.insert(error.message()).second) return;
    if (observer_.on_trouble) observer_.on_trouble(log, error);
}

}  // namespace sluice::storage
