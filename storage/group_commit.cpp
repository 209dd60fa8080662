#include "storage/group_commit.hpp"

#include <algorithm>
#include <utility>

namespace sluice::storage {

namespace {

// Large enough to compress well and to cost one system call, small enough for a reader's memory.
constexpr std::size_t kBatchTargetBytes = 1U << 20U;
constexpr std::size_t kSpareMax = 8;
constexpr auto kReportDroppedEvery = std::chrono::minutes(1);  // an event each, on a full disk

std::size_t size_of(const RecordView& record) {
    constexpr std::size_t kFramingBytes = 16;  // lengths, deltas, attributes
    std::size_t bytes =
        kFramingBytes + (record.key ? record.key->size() : 0) + (record.value ? record.value->size() : 0);
    for (const auto& header : record.headers)
        bytes += header.key.size() + (header.value ? header.value->size() : 0) + 2;
    return bytes;
}

}  // namespace

void GroupCommit::Gathered::clear() {
    batch.clear();
    completions.clear();
}

GroupCommit::GroupCommit(GroupCommitOptions options, Observer observer)
    : options_(options), observer_(std::move(observer)), thread_([this] { run(); }) {}

GroupCommit::~GroupCommit() {
    stop();
}

void GroupCommit::append(Log& log, const Record& record, Completion done) {
    take_in(log, record, record.size_bytes(), std::move(done), WhenFull::wait);
}

void GroupCommit::append(Log& log, const RecordView& record, Completion done) {
    take_in(log, record, size_of(record), std::move(done), WhenFull::wait);
}

void GroupCommit::append_without_wait(Log& log, const Record& record, Completion done) {
    take_in(log, record, record.size_bytes(), std::move(done), WhenFull::take_it);
}

bool GroupCommit::has_room(Log& log) {
    const std::lock_guard lock(mutex_);
    return has_room(lane_of(log), 0);
}

bool GroupCommit::waits_for_space(Log& log) {
    const std::lock_guard lock(mutex_);
    return lane_of(log).no_space;
}

bool GroupCommit::is_idle(Log& log) {
    const std::lock_guard lock(mutex_);
    return lane_of(log).unfinished == 0;
}

bool GroupCommit::has_room(const Lane& lane, std::size_t bytes) const {
    return lane.records == 0 ||
           (lane.records < options_.queue_records_max && lane.bytes + bytes <= options_.queue_bytes_max);
}

std::future<Result<Offset>> GroupCommit::append(Log& log, const Record& record) {
    auto promise = std::make_shared<std::promise<Result<Offset>>>();
    auto future = promise->get_future();
    append(log, record, [promise](Result<Offset> result) { promise->set_value(std::move(result)); });
    return future;
}

template <class R>
void GroupCommit::take_in(Log& log, const R& record, std::size_t bytes, Completion done, WhenFull when_full) {
    if (bytes > kRecordBytesMax) {
        done(Error(Errc::invalid, "record of " + std::to_string(bytes) + " bytes; at most " +
                                      std::to_string(kRecordBytesMax) + " can be kept"));
        return;
    }
    if (record.headers.size() > kRecordHeadersMax) {
        done(Error(Errc::invalid, "record of " + std::to_string(record.headers.size()) + " headers; at most " +
                                      std::to_string(kRecordHeadersMax) + " can be kept"));
        return;
    }
    std::unique_lock lock(mutex_);
    if (stopping_) {
        lock.unlock();
        done(Error(Errc::closed, "the log is closed"));
        return;
    }
    auto& lane = lane_of(log);
    if (when_full == WhenFull::wait && !has_room(lane, bytes)) {
        room_.wait(lock, [&] { return stopping_ || has_room(lane, bytes); });
    }
    if (stopping_) {
        lock.unlock();
        done(Error(Errc::closed, "the log is closed"));
        return;
    }
    if (lane.waiting.empty() || lane.waiting.back()->batch.size_bytes() + bytes > kBatchTargetBytes) {
        lane.waiting.push_back(fresh());
    }
    auto& gathered = *lane.waiting.back();
    gathered.batch.add(record);
    gathered.completions.push_back(std::move(done));
    lane.bytes += bytes;
    ++lane.records;
    ++lane.unfinished;
    if (lane.bytes >= options_.commit_bytes) full_ = true;
    if (idle_ || (lingering_ && full_)) {
        lock.unlock();
        work_.notify_one();
    }
}

GroupCommit::Lane& GroupCommit::lane_of(Log& log) {
    const auto found = std::find_if(lanes_.begin(), lanes_.end(), [&](const auto& lane) { return lane->log == &log; });
    if (found != lanes_.end()) return **found;
    return *lanes_.emplace_back(std::make_unique<Lane>(log));
}

std::unique_ptr<GroupCommit::Gathered> GroupCommit::fresh() {
    if (spare_.empty()) return std::make_unique<Gathered>();
    auto gathered = std::move(spare_.back());
    spare_.pop_back();
    return gathered;
}

void GroupCommit::post(std::function<void()> task) {
    {
        const std::lock_guard lock(mutex_);
        tasks_.push_back(std::move(task));
    }
    work_.notify_one();
}

void GroupCommit::retry() {
    {
        const std::lock_guard lock(mutex_);
        retry_ = true;
    }
    work_.notify_one();
}

void GroupCommit::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    work_.notify_all();
    room_.notify_all();
    if (thread_.joinable()) thread_.join();
}

GroupCommit::Counters GroupCommit::counters() const {
    const std::lock_guard lock(mutex_);
    return counters_;
}

bool GroupCommit::has_work() const {
    const auto can_go_on = [](const Lane& lane) {
        return !lane.no_space || lane.log->options().on_full == OnFull::drop_newest;
    };
    return stopping_ || retry_ || !tasks_.empty() || std::any_of(lanes_.begin(), lanes_.end(), [&](const auto& lane) {
               return !lane->waiting.empty() && can_go_on(*lane);
           });
}

void GroupCommit::wait_for_work(std::unique_lock<std::mutex>& lock) {
    idle_ = true;
    const bool blocked = std::any_of(lanes_.begin(), lanes_.end(), [](const auto& lane) { return lane->no_space; });
    if (blocked) {
        work_.wait_for(lock, options_.retry_interval, [this] { return has_work(); });
    } else {
        work_.wait(lock, [this] { return has_work(); });
    }
    idle_ = false;
    lingering_ = true;
    if (options_.commit_interval.count() > 0) {
        work_.wait_for(lock, options_.commit_interval, [this] { return stopping_ || retry_ || full_; });
    }
    lingering_ = false;
}

void GroupCommit::run() {
    std::vector<Lane*> busy;
    for (;;) {
        bool last = false;
        {
            std::unique_lock lock(mutex_);
            wait_for_work(lock);
            run_tasks(lock);
            last = stopping_;
            const auto now = std::chrono::steady_clock::now();
            busy.clear();
            for (const auto& lane : lanes_) {
                if (retry_ || stopping_) lane->retry_at = now;
                take(*lane);
                if (!lane->taken.empty()) busy.push_back(lane.get());
            }
            full_ = retry_ = false;
        }
        commit_began_ = std::chrono::steady_clock::now();
        for (auto* lane : busy) write(*lane);
        for (auto* lane : busy) sync_and_complete(*lane);
        if (last) {
            for (auto* lane : busy) refuse_all(*lane, Error(Errc::no_space, "stopped before there was space"));
            for (const auto& lane : lanes_) report_dropped(*lane);
            return;
        }
    }
}

void GroupCommit::run_tasks(std::unique_lock<std::mutex>& lock) {
    std::vector<std::function<void()>> tasks;
    tasks.swap(tasks_);
    if (tasks.empty()) return;
    lock.unlock();
    for (const auto& task : tasks) task();
    lock.lock();
}

/// Moves what waits to what is written next, behind what found no space.
void GroupCommit::take(Lane& lane) {
    if (!lane.taken.empty() && !stopping_) return;  // what waits stays, and holds its producers back
    std::move(lane.waiting.begin(), lane.waiting.end(), std::back_inserter(lane.taken));
    lane.waiting.clear();
    lane.bytes = lane.records = 0;
    room_.notify_all();
}

void GroupCommit::write(Lane& lane) {
    lane.first_offsets.clear();
    const bool too_early = lane.no_space && std::chrono::steady_clock::now() < lane.retry_at;
    for (auto gathered = lane.taken.begin(); gathered != lane.taken.end() && !too_early; ++gathered) {
        const auto first = lane.log->append((*gathered)->batch);
        if (!first && first.error().kind() == Errc::no_space) {
            lane.retry_at = std::chrono::steady_clock::now() + options_.retry_interval;
            set_no_space(lane, first.error());
            return;
        }
        if (!first) return fail(first.error());
        lane.first_offsets.push_back(*first);
    }
    if (!too_early) set_no_space(lane, std::nullopt);
}

/// on_full = "drop_newest": what finds no space is acknowledged and given up.
void GroupCommit::drop(Lane& lane) {
    for (const auto& gathered : lane.taken) lane.dropped += gathered->batch.record_count();
    if (lane.dropped > 0 && std::chrono::steady_clock::now() >= lane.report_at) {
        report_dropped(lane);  // before anybody is told that it was taken
        lane.report_at = std::chrono::steady_clock::now() + kReportDroppedEvery;
    }
    {
        const std::lock_guard lock(mutex_);
        for (const auto& gathered : lane.taken) counters_.records_dropped += gathered->completions.size();
    }
    const auto end = lane.log->log_end_offset();
    for (const auto& gathered : lane.taken) {
        for (const auto& done : gathered->completions) done(end);
    }
    const std::lock_guard lock(mutex_);
    for (const auto& gathered : lane.taken) lane.unfinished -= gathered->completions.size();
    for (auto& gathered : lane.taken) recycle(std::move(gathered));
    lane.taken.clear();
}

void GroupCommit::report_dropped(Lane& lane) {
    if (lane.dropped == 0) return;
    const auto end = lane.log->log_end_offset();
    const Gap gap{lane.log->name(), end, end, lane.dropped,
                  "no space: what arrived was dropped (on_full = \"drop_newest\")"};
    if (!lane.log->give_up(gap)) lane.log->report_gap(gap);
    lane.dropped = 0;
}

void GroupCommit::sync_and_complete(Lane& lane) {
    const auto written = lane.first_offsets.size();
    if (written > 0) {
        if (auto done = lane.log->commit(); !done) {
            fail(done.error());
            refuse_all(lane, done.error());
            return;
        }
        commit_latency_.observe(std::chrono::steady_clock::now() - commit_began_);
        {
            const std::lock_guard lock(mutex_);
            ++counters_.commits;
            for (std::size_t i = 0; i < written; ++i) {
                counters_.records_appended += lane.taken[i]->completions.size();
                counters_.bytes_appended += lane.taken[i]->batch.size_bytes();
            }
        }
        for (std::size_t i = 0; i < written; ++i) complete(*lane.taken[i], lane.first_offsets[i]);
        const std::lock_guard lock(mutex_);
        for (std::size_t i = 0; i < written; ++i) lane.unfinished -= lane.taken[i]->completions.size();
        for (std::size_t i = 0; i < written; ++i) recycle(std::move(lane.taken[i]));
    }
    lane.taken.erase(lane.taken.begin(), lane.taken.begin() + static_cast<std::ptrdiff_t>(written));
    if (lane.no_space && lane.log->options().on_full == OnFull::drop_newest) drop(lane);
    if (!lane.no_space && !lane.taken.empty()) {
        refuse_all(lane, Error(Errc::sync_failed, "log " + lane.log->name() + " takes no more writes"));
    }
}

void GroupCommit::complete(Gathered& gathered, const Result<Offset>& first) {
    std::int64_t i = 0;
    for (const auto& done : gathered.completions) done(first ? Result<Offset>(*first + i++) : first);
}

void GroupCommit::refuse_all(Lane& lane, const Error& error) {
    for (auto& gathered : lane.taken) complete(*gathered, error);
    lane.taken.clear();
}

void GroupCommit::set_no_space(Lane& lane, const std::optional<Error>& error) {
    const bool changed = lane.no_space != error.has_value();
    {
        const std::lock_guard lock(mutex_);
        lane.no_space = error.has_value();
        counters_.blocked_by_space =
            std::any_of(lanes_.begin(), lanes_.end(), [](const auto& each) { return each->no_space; });
    }
    if (error && observer_.on_no_space) observer_.on_no_space(*lane.log, *error, !changed);
    if (!changed) return;
    if (!error) report_dropped(lane);
    if (!error && observer_.on_space_again) observer_.on_space_again(*lane.log);
}

void GroupCommit::fail(const Error& error) {
    {
        const std::lock_guard lock(mutex_);
        if (std::exchange(counters_.sync_failed, true)) return;
    }
    if (observer_.on_sync_failed) observer_.on_sync_failed(error);
}

void GroupCommit::recycle(std::unique_ptr<Gathered> gathered) {
    if (spare_.size() >= kSpareMax) return;
    gathered->clear();
    spare_.push_back(std::move(gathered));
}

}  // namespace sluice::storage
