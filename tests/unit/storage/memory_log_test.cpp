// Durability "memory": written only where the forwarder doesn't take it in time.
#include "storage/log.hpp"
#include "tests/support/fault_file_system.hpp"
#include "tests/support/log_builder.hpp"

#include <doctest/doctest.h>

#include <cerrno>
#include <string>
#include <vector>

using namespace sluice::storage;
using namespace sluice::test;
using namespace std::chrono_literals;
using Values = std::vector<std::string>;

namespace {

LogOptions in_memory() {
    LogOptions options;
    options.durability = Durability::memory;
    options.memory_bytes_max = 2000;
    options.memory_age_max = 30s;
    options.tail_cache_bytes = 0;
    return options;
}

}  // namespace

TEST_CASE("memory: while the forwarder keeps up, hardly anything is written") {
    Faults faults;
    FaultFileSystem files(faults);
    TestLog log(in_memory(), &files);
    log->set_finished(Offset(0));
    log.append("first");
    const int syncs = faults.syncs;
    for (int i = 0; i < 1000; ++i) {
        log.append(std::to_string(i));
        CHECK(log.values(i + 1) == Values{std::to_string(i)});
        log->set_finished(log->high_watermark());
        must(log->spill_if_due());
        log.clock.advance(1s);
    }
    CHECK(faults.syncs == syncs);
    CHECK(log->size_bytes() == 0);
}

TEST_CASE("memory: in an outage it goes to disk, by age and by size, and is read from there in order") {
    TestLog log(in_memory());
    log->set_finished(Offset(0));
    Values all;
    const auto append = [&](const std::string& value) {
        log.append(value);
        all.push_back(value);
    };
    append("a");
    log.clock.advance(31s);
    must(log->spill_if_due());
    CHECK(log->size_bytes() > 0);
    for (int i = 0; i < 100; ++i) append(std::string(100, 'x') + std::to_string(i));
    CHECK(log->tail().pinned_bytes() <= 2000);
    CHECK(log.values() == all);
}

TEST_CASE("memory: a clean stop keeps everything that was not forwarded, and the offsets") {
    TestLog log(in_memory());
    log->set_finished(Offset(0));
    for (int i = 0; i < 10; ++i) log.append(std::to_string(i));
    log->set_finished(Offset(7));
    log.finished_of = [](const LogId&) { return std::optional(Finished{Offset(7), Offset(7)}); };
    must(log->close());
    log.open();
    CHECK(log->log_end_offset() == Offset(10));
    CHECK(log.values(7) == Values{"7", "8", "9"});
    CHECK(log.gaps.empty());
}

TEST_CASE("memory: a kill loses what was only in memory, says so, and no offset is used twice") {
    TestLog log(in_memory());
    log->set_finished(Offset(0));
    log.append("lost");
    log.append("lost too");
    log.finished_of = [](const LogId&) { return std::optional(Finished{Offset(1), Offset(1)}); };
    log.kill();
    log.open();
    CHECK(log->log_end_offset() > Offset(2));
    REQUIRE(log.gaps.size() == 1);
    CHECK(log.gaps[0].first == Offset(1));
    CHECK(log.gaps[0].next == log->log_end_offset());
    CHECK_FALSE(log.gaps[0].count.has_value());
    log.append("after");
    CHECK(log.values() == Values{"after"});
}

TEST_CASE("memory: a search by time knows what is only in memory, and what was written before it") {
    auto options = in_memory();
    options.memory_bytes_max = 1 << 20;
    TestLog log(options);
    const auto at = [](int second) { return Timestamp(std::chrono::seconds(1'700'000'000 + second)); };
    for (int i = 0; i < 10; ++i) {
        auto each = record(std::to_string(i));
        each.timestamp = at(i);
        must(log.append_only({each}));
        must(log->commit());
        for (int since = 0; since <= i; ++since) CHECK(must(log->offset_for(at(since))) == Offset(since));
        if (i == 4) must(log->roll());
    }
    CHECK(must(log->offset_for(at(10))) == log->high_watermark());
}

TEST_CASE("memory: what is too old is written whatever becomes of the wall clock") {
    TestLog log(in_memory());
    const auto right = log.clock.now();
    log.clock.set(right + 365 * 24h);
    log.append("a");
    log.clock.set(right);
    log.clock.advance(29s);
    must(log->spill_if_due());
    CHECK(log->size_bytes() == 0);
    log.clock.advance(2s);
    must(log->spill_if_due());
    CHECK(log->size_bytes() > 0);
}

TEST_CASE("memory: a kill on a full disk keeps no log from opening, and no offset is used twice") {
    Faults faults;
    FaultFileSystem files(faults);
    TestLog log(in_memory(), &files);
    log->set_finished(Offset(0));
    log.append("lost");
    log.kill();
    faults.error_number = ENOSPC;
    faults.fail_creates = true;
    log.open();
    REQUIRE_FALSE(log.gaps.empty());
    const auto end = log->log_end_offset();
    CHECK(end > Offset(1));
    CHECK(log.append_only({record("x")}).error().kind() == Errc::no_space);
    // Again, and nothing was written in between.
    log.kill();
    log.open();
    CHECK(log->log_end_offset() == end);
    faults.fail_creates = false;
    log.append("new");
    must(log->roll());
    log.kill();
    log.gaps.clear();
    log.open();
    CHECK(log.values(end.value()) == Values{"new"});
}
