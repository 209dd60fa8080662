#include "storage/group_commit.hpp"

#include "storage/log_dir.hpp"
#include "tests/support/fault_file_system.hpp"
#include "tests/support/log_builder.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

using namespace sluice::storage;
using namespace sluice::test;
using namespace std::chrono_literals;

namespace {

/// Two streams behind one log thread, on a file system that fails on demand.
struct CommitRig {
    explicit CommitRig(GroupCommitOptions options = {}, GroupCommit::Observer observer = {})
        : commit(options, std::move(observer)) {}

    TempDir dir;
    SystemClock clock;
    Faults faults;
    FaultFileSystem files{faults};
    std::unique_ptr<LogDir> logs = must(LogDir::open(files, clock, dir / "data"));
    Log* a = must(logs->open_stream("a", {}));
    Log* b = must(logs->open_stream("b", {}));
    GroupCommit commit;

    [[nodiscard]] static std::vector<std::string> values(const Log& log) {
        std::vector<std::string> found;
        LogReader reader(log, Offset(0));
        while (auto batch = must(reader.next())) {
            for (const auto& r : batch->records()) found.emplace_back(*r.value);
        }
        return found;
    }
};

bool came_true(const std::function<bool()>& condition) {
    for (int i = 0; i < 1000 && !condition(); ++i) std::this_thread::sleep_for(10ms);
    return condition();
}

}  // namespace

TEST_CASE("group commit: many threads, every append gets its own offset, and each thread's records keep their order") {
    CommitRig rig;
    constexpr int kThreads = 4;
    constexpr int kEach = 500;
    std::vector<std::thread> threads;
    std::atomic<int> wrong{0};
    for (int t = 0; t < kThreads; ++t) {
        threads.emplace_back([&rig, &wrong, t] {
            auto& log = t % 2 == 0 ? *rig.a : *rig.b;
            std::vector<std::future<Result<Offset>>> futures;
            for (int i = 0; i < kEach; ++i) {
                futures.push_back(rig.commit.append(log, record(std::to_string(t) + ":" + std::to_string(i))));
            }
            Offset last(-1);
            for (auto& future : futures) {
                const auto offset = future.get();
                if (!offset || *offset <= last)
                    ++wrong;
                else
                    last = *offset;
            }
        });
    }
    for (auto& thread : threads) thread.join();
    CHECK(wrong == 0);
    std::vector<int> next(kThreads, 0);
    std::size_t count = 0;
    for (const auto* log : {rig.a, rig.b}) {
        for (const auto& value : CommitRig::values(*log)) {
            const auto t = static_cast<std::size_t>(value[0] - '0');
            CHECK(value.substr(2) == std::to_string(next[t]++));
            ++count;
        }
    }
    CHECK(count == kThreads * kEach);
    CHECK(rig.commit.counters().records_appended == kThreads * kEach);
    CHECK(rig.commit.counters().commits < kThreads * kEach);
}

TEST_CASE("group commit: an append completes only after a sync that came after it, and when it can be read") {
    CommitRig rig;
    for (int i = 0; i < 50; ++i) {
        const int syncs_before = rig.faults.syncs;
        const auto offset = must(rig.commit.append(*rig.a, record("v")).get());
        CHECK(rig.faults.syncs > syncs_before);
        CHECK(rig.a->high_watermark() > offset);
    }
}

TEST_CASE("group commit: company that arrives within the commit interval shares the sync") {
    constexpr int kRecords = 100;
    // The interval never ends by itself, however slow this machine is: the last record fills the commit.
    CommitRig rig({.commit_interval = 24h, .commit_bytes = kRecords * record("v").size_bytes()});
    const int syncs_before = rig.faults.syncs;
    std::vector<std::future<Result<Offset>>> futures;
    for (int i = 0; i < kRecords; ++i) futures.push_back(rig.commit.append(*rig.a, record("v")));
    for (auto& future : futures) must(future.get());
    CHECK(rig.faults.syncs - syncs_before == 2);  // the other one is that of the recovery point, at the first append
}

TEST_CASE("group commit: a failed sync refuses what it held, everything after it, and says so once") {
    std::atomic<int> told{0};
    GroupCommit::Observer observer;
    observer.on_sync_failed = [&](const Error& error) {
        CHECK(error.kind() == Errc::sync_failed);
        ++told;
    };
    CommitRig rig({}, observer);
    must(rig.commit.append(*rig.a, record("kept")).get());
    rig.faults.fail_syncs = true;
    CHECK(rig.commit.append(*rig.a, record("lost")).get().error().kind() == Errc::sync_failed);
    rig.faults.fail_syncs = false;
    CHECK(rig.commit.append(*rig.a, record("later")).get().error().kind() == Errc::sync_failed);
    CHECK(told == 1);
    CHECK(rig.commit.counters().sync_failed);
    CHECK(CommitRig::values(*rig.a) == std::vector<std::string>{"kept"});
}

TEST_CASE("group commit: a full disk holds the acknowledgements; when there is space, all goes on in order") {
    std::atomic<int> full{0};
    std::atomic<int> again{0};
    GroupCommit::Observer observer;
    observer.on_no_space = [&](const Log& log, const Error& error, bool again_and_again) {
        if (again_and_again) return;
        CHECK(log.name() == "a");
        CHECK(error.kind() == Errc::no_space);
        ++full;
    };
    observer.on_space_again = [&](const Log&) { ++again; };
    CommitRig rig({.retry_interval = 20ms}, observer);
    must(rig.commit.append(*rig.a, record("0")).get());
    rig.faults.error_number = ENOSPC;
    rig.faults.lasting = true;
    rig.faults.fail_at = 0;
    auto first = rig.commit.append(*rig.a, record("1"));
    auto second = rig.commit.append(*rig.a, record("2"));
    CHECK(came_true([&] { return rig.commit.counters().blocked_by_space; }));
    CHECK(first.wait_for(100ms) == std::future_status::timeout);
    // Tasks run meanwhile: one of them may make room.
    rig.commit.post([&] { rig.faults.fail_at = -1; });
    CHECK(must(first.get()) == Offset(1));
    CHECK(must(second.get()) == Offset(2));
    CHECK(full == 1);
    CHECK(again == 1);
    CHECK(CommitRig::values(*rig.a) == std::vector<std::string>{"0", "1", "2"});
}

TEST_CASE("group commit: a log that finds no space waits alone, and the others go on") {
    const TempDir dir;
    const SystemClock clock;
    PosixFileSystem files;
    auto logs = must(LogDir::open(files, clock, dir / "data", {}, 100'000));
    LogOptions options;
    options.compression = Compression::none;
    auto* full = must(logs->open_stream("full", options));
    options.counts_to_quota = false;
    auto* other = must(logs->open_stream("other", options));
    GroupCommit commit({.retry_interval = 20ms}, {});
    const auto big = record(std::string(90'000, 'x'));
    must(commit.append(*full, big).get());
    auto waiting = commit.append(*full, big);
    CHECK(came_true([&] { return commit.counters().blocked_by_space; }));
    for (int i = 0; i < 20; ++i) must(commit.append(*other, big).get());
    CHECK(waiting.wait_for(0ms) == std::future_status::timeout);
    commit.stop();
    CHECK(waiting.get().error().kind() == Errc::no_space);
}

TEST_CASE("group commit: a full queue pushes back to its callers and loses nothing") {
    CommitRig rig({.queue_records_max = 4, .queue_bytes_max = 1000});
    std::atomic<int> done{0};
    for (int i = 0; i < 200; ++i) {
        rig.commit.append(*rig.a, record(std::string(400, 'x')), [&](const Result<Offset>& result) {
            if (result) ++done;
        });
    }
    rig.commit.stop();
    CHECK(done == 200);
    CHECK(CommitRig::values(*rig.a).size() == 200);
}

TEST_CASE("group commit: stop completes what is queued, and what comes later is told that the log is closed") {
    CommitRig rig;
    std::vector<std::future<Result<Offset>>> futures;
    for (int i = 0; i < 100; ++i) futures.push_back(rig.commit.append(*rig.b, record("v")));
    rig.commit.stop();
    for (auto& future : futures) CHECK(future.get().has_value());
    CHECK(rig.commit.append(*rig.b, record("v")).get().error().kind() == Errc::closed);
}

TEST_CASE("group commit: stop doesn't wait for space") {
    CommitRig rig({.retry_interval = 10s});
    rig.faults.error_number = ENOSPC;
    rig.faults.lasting = true;
    rig.faults.fail_at = 0;
    auto future = rig.commit.append(*rig.a, record("1"));
    CHECK(came_true([&] { return rig.commit.counters().blocked_by_space; }));
    rig.commit.stop();
    CHECK(future.get().error().kind() == Errc::no_space);
}

TEST_CASE("group commit: a record beyond the bound is refused before it is queued; the largest one is kept") {
    CommitRig rig;
    CHECK(rig.commit.append(*rig.a, record(std::string(kRecordBytesMax, 'x'))).get().error().kind() == Errc::invalid);
    CHECK(rig.commit.append(*rig.a, record(std::string(kRecordBytesMax - 1000, 'x'))).get().has_value());
    CHECK(CommitRig::values(*rig.a).size() == 1);
}
