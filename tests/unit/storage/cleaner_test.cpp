#include "storage/cleaner.hpp"

#include "storage/verify.hpp"
#include "tests/support/log_builder.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

using namespace sluice::storage;
using namespace sluice::test;
using namespace std::chrono_literals;

namespace {

LogOptions table() {
    LogOptions options;
    options.segment_bytes = 4000;
    options.compression = Compression::none;
    options.tail_cache_bytes = 0;
    options.cleanup = Cleanup::compact;
    options.hold_until_forwarded = false;
    options.min_dirty_ratio = 0;
    return options;
}

/// A data directory with one stream, and a cleaner that can be started over it.
struct Box {
    Log* stream(const LogOptions& options) { return must(logs->open_stream("s", options)); }
    static void append(Log& log, int number) {
        BatchBuilder batch;
        batch.add(record("value-" + std::to_string(number), "key-" + std::to_string(number % 10)));
        must(log.append(batch));
        must(log.commit());
    }
    static void fill(Log& log, int records) {
        for (int i = 0; i < records; ++i) append(log, i);
        must(log.roll());
    }
    [[nodiscard]] static std::vector<std::string> values(const Log& log) {
        std::vector<std::string> found;
        LogReader reader(log, Offset(0));
        while (const auto batch = must(reader.next())) {
            for (const auto& each : batch->records()) found.emplace_back(*each.value);
        }
        return found;
    }
    Cleaner::Observer observer() {
        Cleaner::Observer observer;
        observer.roll = [](Log&) {};
        observer.on_room = [this] { ++rooms; };
        observer.on_trouble = [this](const Log&, const Error& error) {
            const std::lock_guard lock(mutex);
            troubles.push_back(error.message());
        };
        return observer;
    }
    std::vector<std::string> told() {
        const std::lock_guard lock(mutex);
        return troubles;
    }

    TempDir dir;
    TestClock clock;
    PosixFileSystem files;
    std::mutex mutex;
    std::vector<Gap> gaps;
    std::vector<std::string> troubles;
    std::atomic<int> rooms{0};
    std::unique_ptr<LogDir> logs = must(LogDir::open(files, clock, dir / "data", [this](const Gap& gap) {
        const std::lock_guard lock(mutex);
        gaps.push_back(gap);
    }));
};

/// Waits for what another thread does; fails the test where it never does.
template <class Condition>
void wait_for(const Condition& condition) {
    const auto deadline = std::chrono::steady_clock::now() + 60s;
    while (!condition()) {
        REQUIRE(std::chrono::steady_clock::now() < deadline);
        std::this_thread::sleep_for(2ms);
    }
}

const std::vector<std::string> kLatestOfEach = {"value-490", "value-491", "value-492", "value-493", "value-494",
                                                "value-495", "value-496", "value-497", "value-498", "value-499"};

}  // namespace

TEST_CASE("cleaner: compacts by itself, beside readers and appends") {
    Box box;
    auto* log = box.stream(table());
    Box::fill(*log, 500);
    Cleaner cleaner(box.files, box.clock, *box.logs, {.interval = 1ms}, box.observer());
    wait_for([&] { return cleaner.counters().records_left_out == 490; });
    cleaner.stop();
    CHECK(Box::values(*log) == kLatestOfEach);
    CHECK(cleaner.counters().bytes_freed > 0);
    CHECK(box.told().empty());
}

TEST_CASE("cleaner: a flipped bit is set aside and reported, and compaction goes on") {
    Box box;
    auto* log = box.stream(table());
    Box::fill(*log, 500);
    const auto damaged = log->segments().closed()[1];
    const auto path = damaged->path();
    auto bytes = read_bytes(path);
    SUBCASE("in the middle") {
        bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
    }
    SUBCASE("in the last batch") {
        bytes[bytes.size() - 2] = static_cast<char>(bytes[bytes.size() - 2] ^ 1);
    }
    SUBCASE("in the first batch") {
        bytes[70] = static_cast<char>(bytes[70] ^ 1);
    }
    write_bytes(path, bytes);
    Cleaner cleaner(box.files, box.clock, *box.logs, {.interval = 1ms}, box.observer());
    wait_for([&] { return cleaner.counters().records_left_out > 0; });
    cleaner.stop();
    CHECK(Box::values(*log) == kLatestOfEach);
    CHECK(box.told().empty());
    REQUIRE(box.gaps.size() == 1);
    CHECK(box.gaps[0].count == 1);
    CHECK(box.gaps[0].first >= damaged->base_offset());
    CHECK(box.gaps[0].next <= *damaged->next_base());
    std::size_t kept = 0;
    for (const auto& name : must(box.files.list(log->directory()))) kept += name.find(".damaged-") != std::string::npos;
    CHECK(kept == 1);
    CHECK(must(verify_log(box.files, log->directory(), {})).faults == 0);
}

TEST_CASE("cleaner: a slow pass gives way to a full disk and to the end of the process") {
    Box box;
    auto* log = box.stream(table());
    Box::fill(*log, 500);
    Log* full = must(box.logs->open_stream("full", [] {
        LogOptions options;
        options.segment_bytes = 4000;
        options.on_full = OnFull::drop_oldest;
        return options;
    }()));
    Box::fill(*full, 500);
    // At this rate the pass over the first stream takes seconds.
    Cleaner cleaner(box.files, box.clock, *box.logs, {.interval = 1ms, .bytes_per_second = log->size_bytes()},
                    box.observer());
    wait_for([&] { return cleaner.counters().bytes_paced > 0; });
    const auto start = full->log_start_offset();
    cleaner.make_room(*full);
    wait_for([&] { return box.rooms > 0; });
    CHECK(full->log_start_offset() == start);  // the table is compacted first, by which nothing is lost
    CHECK(Box::values(*log) == kLatestOfEach);
    Box::fill(*log, 500);  // again for seconds
    cleaner.stop();
    CHECK(Box::values(*log).size() == 510);
}

TEST_CASE("cleaner: a stream that waits for room, which nobody gives, doesn't keep a table from being compacted") {
    Box box;
    auto* log = box.stream(table());
    Box::fill(*log, 500);
    Log* full = must(box.logs->open_stream("full", {}));  // on_full = "block"
    // At this rate a pass takes half a second.
    Cleaner cleaner(box.files, box.clock, *box.logs, {.interval = 1ms, .bytes_per_second = 4 * log->size_bytes()},
                    box.observer());
    const auto until = std::chrono::steady_clock::now() + 10s;
    while (cleaner.counters().records_left_out < 490 && std::chrono::steady_clock::now() < until) {
        cleaner.make_room(*full);
        std::this_thread::sleep_for(20ms);
    }
    cleaner.stop();
    CHECK(Box::values(*log) == kLatestOfEach);
}

TEST_CASE("cleaner: indexes are made at its pace, and not while a stream waits for room") {
    Box box;
    Log* log = box.stream([] {
        LogOptions options;
        options.segment_bytes = 4000;
        options.compression = Compression::none;
        options.on_full = OnFull::drop_oldest;
        return options;
    }());
    Box::fill(*log, 500);
    // At this rate the first batch takes a minute.
    Cleaner cleaner(box.files, box.clock, *box.logs, {.interval = 1h, .bytes_per_second = 1}, box.observer());
    wait_for([&] { return cleaner.counters().bytes_paced > 0; });
    cleaner.make_room(*log);
    wait_for([&] { return box.rooms > 0; });
    CHECK(box.told().empty());
}

TEST_CASE("cleaner: to make room it compacts no faster than its rate either, so that commits go on") {
    Box box;
    auto options = table();
    options.cleanup = Cleanup::remove;
    options.on_full = OnFull::compact;
    auto* log = box.stream(options);
    Box::fill(*log, 500);
    const auto size = log->size_bytes();
    for (const auto& segment : log->segments().closed()) must(segment->repair_indexes());
    Cleaner cleaner(box.files, box.clock, *box.logs, {.interval = 1h, .bytes_per_second = 4 * size}, box.observer());
    const auto began = std::chrono::steady_clock::now();
    cleaner.make_room(*log);
    wait_for([&] { return box.rooms == 1; });
    CHECK(Box::values(*log) == kLatestOfEach);
    // Read twice.
    CHECK(std::chrono::steady_clock::now() - began > 400ms);
    CHECK(cleaner.counters().bytes_paced >= 2 * size);
}
