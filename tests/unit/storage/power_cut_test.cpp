#include "storage/compaction.hpp"
#include "storage/verify.hpp"
#include "tests/support/log_builder.hpp"
#include "tests/support/sim_file_system.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace sluice::storage;
using namespace sluice::test;

namespace {

LogOptions plain() {
    LogOptions options;
    options.compression = Compression::none;
    options.tail_cache_bytes = 0;
    return options;
}

std::vector<std::string> faults(FileSystem& files, const TestLog& log) {
    std::vector<std::string> found;
    must(verify_log(files, log.directory(), [&](const Finding& finding) {
        if (finding.kind == Finding::Kind::fault) found.push_back(finding.path + ": " + finding.what);
    }));
    return found;
}

/// Flips a bit in the middle one of three records of a log that was not stopped in order.
void damage_second(TestLog& log, SimFileSystem& files) {
    for (const auto* value : {"a", "b", "c"}) log.append(value);
    const auto size = log->size_bytes() / 3;
    log.kill();
    REQUIRE(files.flip_bit(log.segment(0), size + size - 3, 0));
}

std::size_t set_aside(FileSystem& files, const TestLog& log) {
    std::size_t found = 0;
    for (const auto& name : must(files.list(log.directory()))) found += name.find(".damaged-") != std::string::npos;
    return found;
}

}  // namespace

TEST_CASE("power cut: indexes that could not be completed stay removed") {
    for (std::uint64_t seed = 0; seed < 40; ++seed) {
        for (std::uint64_t n = 0; n < 48; ++n) {
            CAPTURE(seed);
            CAPTURE(n);
            SimFileSystem files(seed);
            TestLog log(plain(), &files);
            log.append("a");
            must(log->close());  // the indexes are there, and know of "a"
            log.open();
            auto later = record("b");
            later.timestamp += std::chrono::hours(1);
            must(log.append_only({later}));
            must(log->commit());
            files.fail_at(n / 8);
            files.crash_at(n / 8 + 1 + n % 8);
            static_cast<void>(log->roll());
            log.kill();
            files.crash_and_reboot();
            log.open();
            CHECK(log.values() == std::vector<std::string>{"a", "b"});
            CHECK(faults(files, log).empty());
        }
    }
}

TEST_CASE("power cut: what is readable after a sync that failed and a restart is on the medium") {
    for (std::uint64_t seed = 0; seed < 40; ++seed) {
        CAPTURE(seed);
        SimFileSystem files(seed);
        TestLog log(plain(), &files);
        log.append("a");
        must(log.append_only({record(std::string(3000, 'b'))}));
        files.fail_at(0);
        REQUIRE_FALSE(log->commit().has_value());
        log.open();
        const auto readable = log.values();
        CHECK(readable.size() == 2);
        log.kill();
        files.crash_and_reboot();
        log.open();
        CHECK(log.values() == readable);
        CHECK(log.gaps.empty());
    }
}

TEST_CASE("power cut: compaction drops no record for one that a failed sync has left in the page cache") {
    for (std::uint64_t seed = 0; seed < 40; ++seed) {
        CAPTURE(seed);
        SimFileSystem files(seed);
        auto options = plain();
        options.cleanup = Cleanup::compact;
        options.segment_bytes = 100;  // or else both become one, written anew
        TestLog log(options, &files);
        log.append("a");
        must(log->roll());
        must(log.append_only({record(std::string(3000, 'b'))}));
        files.fail_at(0);
        REQUIRE_FALSE(log->commit().has_value());
        log.open();
        must(log->roll());
        must(compact(files, *log, log.clock, {.whatever_the_ratio = true}, [](std::size_t) { return true; }));
        log.kill();
        files.crash_and_reboot();
        log.open();
        CHECK(log.values() == std::vector<std::string>{std::string(3000, 'b')});
    }
}

TEST_CASE(
    "recovery: damage is reported whatever fails while it is set aside, and at each start until that is durable") {
    for (std::uint64_t n = 0; n < 16; ++n) {
        CAPTURE(n);
        SimFileSystem files(n);
        TestLog log(plain(), &files);
        log.tells = false;
        damage_second(log, files);
        files.fail_at(n);
        static_cast<void>(log.try_open());
        files.calm();
        log.gaps.clear();  // of a process that was killed before anything was durable
        log.open();
        REQUIRE_FALSE(log.gaps.empty());
        CHECK(log.gaps[0].first == Offset(1));
        CHECK(log.gaps[0].next == Offset(2));
        log.tells = true;
        log.open();
        log.gaps.clear();
        log.open();
        CHECK(log.gaps.empty());
    }
}

TEST_CASE("recovery: a full disk with damage in the last segment is opened, and the bytes stay") {
    SimFileSystem files(1);
    TestLog log(plain(), &files);
    damage_second(log, files);
    files.set_capacity(0);
    log.open();
    CHECK(log.gaps.size() == 1);
    CHECK(log.values() == std::vector<std::string>{"a", "c"});
    CHECK(set_aside(files, log) == 0);
    files.set_capacity(1U << 20U);
    log.append("d");
    CHECK(log.values() == std::vector<std::string>{"a", "c", "d"});
}

TEST_CASE("recovery: what was set aside before is not overwritten by damage at the same place") {
    SimFileSystem files(1);
    TestLog log(plain(), &files);
    damage_second(log, files);
    log.open();
    log.kill();
    must(files.open(log.segment(0, kIndexSuffix), OpenMode::create).value()->truncate(0));  // all is looked at
    CHECK(set_aside(files, log) == 1);
    log.open();
    log.append("d");
    const auto size = log->size_bytes() / 3;
    log.kill();
    REQUIRE(files.flip_bit(log.segment(0), size + size - 3, 0));
    must(files.open(log.segment(0, kIndexSuffix), OpenMode::create).value()->truncate(0));
    log.open();
    CHECK(set_aside(files, log) == 2);
    CHECK(log.values() == std::vector<std::string>{"a", "d"});
}
