#include "storage/group_commit.hpp"

#include <algorithm>
#include <utility>

namespace sluice::storage {

namespace {

// Large enough to compress well and to cost one system call, small enough for a reader's memory.
constexpr std::size_t kBatchTargetBytes = 1U << 20U;

}  // namespace

/// The records that one log gets of a commit, in the order of arrival, and what became of them.
struct GroupCommit::Share {
    Log* log;
    std::vector<Record> records;
    std::vector<Completion> completions;
    std::vector<Offset> offsets;  // of the records that were appended; shorter than records where one was refused
    Error refusal;                // why the rest was not
    std::size_t bytes = 0;
};

GroupCommit::GroupCommit(GroupCommitOptions options, Observer observer)
    : options_(options),
      observer_(std::move(observer)),
      queue_(options.queue_records_max, options.queue_bytes_max),
      thread_([this] { run(); }) {}

GroupCommit::~GroupCommit() {
    stop();
}

void GroupCommit::append(Log& log, Record record, Completion done) {
    const auto bytes = record.size_bytes();
    if (bytes > kRecordBytesMax) {
        done(Error(Errc::invalid, "record of " + std::to_string(bytes) + " bytes; at most " +
                                      std::to_string(kRecordBytesMax) + " can be kept"));
        return;
    }
    // A shared completion, as push() leaves the item with us when the queue is closed but has moved from it.
    auto shared = std::make_shared<Completion>(std::move(done));
    Pending pending{&log, std::move(record), [shared](Result<Offset> result) { (*shared)(std::move(result)); }};
    if (!queue_.push(std::move(pending), bytes)) (*shared)(Error(Errc::closed, "the log is closed"));
}

std::future<Result<Offset>> GroupCommit::append(Log& log, Record record) {
    auto promise = std::make_shared<std::promise<Result<Offset>>>();
    auto future = promise->get_future();
    append(log, std::move(record), [promise](Result<Offset> result) { promise->set_value(std::move(result)); });
    return future;
}

void GroupCommit::post(std::function<void()> task) {
    {
        const std::lock_guard lock(mutex_);
        tasks_.push_back(std::move(task));
    }
    wake_.notify_all();
    static_cast<void>(queue_.push_now(Pending{}));  // closed: the log thread runs what is left before it ends
}

void GroupCommit::stop() {
    stopping_ = true;
    queue_.close();
    wake_.notify_all();
    if (thread_.joinable()) thread_.join();
}

GroupCommit::Counters GroupCommit::counters() const {
    const std::lock_guard lock(mutex_);
    return counters_;
}

void GroupCommit::run() {
    for (;;) {
        auto taken = queue_.pop(options_.commit_interval, options_.commit_bytes);
        run_tasks();
        if (taken.empty()) return;
        commit(std::move(taken));
    }
}

void GroupCommit::run_tasks() {
    std::vector<std::function<void()>> tasks;
    {
        const std::lock_guard lock(mutex_);
        tasks.swap(tasks_);
    }
    for (const auto& task : tasks) task();
}

void GroupCommit::commit(std::vector<Pending> taken) {
    std::vector<Share> shares;
    for (auto& pending : taken) {
        if (pending.log == nullptr) continue;  // only woke the thread, for a task
        auto share = std::find_if(shares.begin(), shares.end(), [&](const Share& s) { return s.log == pending.log; });
        if (share == shares.end()) share = shares.insert(shares.end(), Share{pending.log, {}, {}, {}, {}, 0});
        share->bytes += pending.record.size_bytes();
        share->records.push_back(std::move(pending.record));
        share->completions.push_back(std::move(pending.done));
    }
    for (auto& share : shares) write(share);
    for (auto& share : shares) sync(share);
    for (auto& share : shares) complete(share);
}

void GroupCommit::write(Share& share) {
    auto rest = std::span<const Record>(share.records);
    while (!rest.empty()) {
        std::size_t count = 1;
        for (auto bytes = rest[0].size_bytes(); count < rest.size(); ++count) {
            bytes += rest[count].size_bytes();
            if (bytes > kBatchTargetBytes) break;
        }
        const auto first = append_when_there_is_space(*share.log, rest.first(count));
        if (!first) {
            share.refusal = first.error();
            if (share.refusal.kind() != Errc::no_space) fail(share.refusal);
            return;
        }
        for (std::size_t i = 0; i < count; ++i) share.offsets.push_back(*first + static_cast<std::int64_t>(i));
        rest = rest.subspan(count);
    }
}

/// A full disk is a normal state: the acknowledgements wait, and so do the devices.
Result<Offset> GroupCommit::append_when_there_is_space(Log& log, std::span<const Record> records) {
    bool waited = false;
    for (;;) {
        auto first = log.append(records);
        const bool no_space = !first && first.error().kind() == Errc::no_space;
        if (!no_space || stopping_) {
            if (waited && first) set_blocked(false, {});
            return first;
        }
        if (!waited) set_blocked(true, first.error());
        waited = true;
        {
            std::unique_lock lock(mutex_);
            wake_.wait_for(lock, options_.retry_interval, [this] { return stopping_ || !tasks_.empty(); });
        }
        run_tasks();
    }
}

void GroupCommit::set_blocked(bool blocked, const Error& error) {
    {
        const std::lock_guard lock(mutex_);
        counters_.blocked_by_space = blocked;
    }
    if (blocked && observer_.on_no_space) observer_.on_no_space(error);
    if (!blocked && observer_.on_space_again) observer_.on_space_again();
}

void GroupCommit::sync(Share& share) {
    if (share.offsets.empty()) return;
    if (auto done = share.log->commit(); !done) {
        share.offsets.clear();
        share.refusal = done.error();
        fail(done.error());
    }
}

void GroupCommit::complete(Share& share) {
    if (!share.offsets.empty()) {
        const std::lock_guard lock(mutex_);
        counters_.records_appended += share.offsets.size();
        counters_.bytes_appended += share.bytes;
        ++counters_.commits;
    }
    for (std::size_t i = 0; i < share.completions.size(); ++i) {
        share.completions[i](i < share.offsets.size() ? Result<Offset>(share.offsets[i]) : share.refusal);
    }
}

void GroupCommit::fail(const Error& error) {
    {
        const std::lock_guard lock(mutex_);
        if (std::exchange(counters_.sync_failed, true)) return;
    }
    if (observer_.on_sync_failed) observer_.on_sync_failed(error);
}

}  // namespace sluice::storage
