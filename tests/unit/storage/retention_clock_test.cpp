#include "storage/retention.hpp"
#include "tests/support/fault_file_system.hpp"
#include "tests/support/log_builder.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <string>

using namespace sluice::storage;
using namespace sluice::test;
using namespace std::chrono_literals;

namespace {

constexpr Timestamp kIn1970{10min};
constexpr Timestamp kIn2023{1'700'000'000'000ms};

/// Nobody forwards the stream; it is kept for seven days.
struct GatewayOf1970 {
    GatewayOf1970() : log(options()) {
        log.kill();
        log.clock.set(kIn1970);
        log.open();
    }
    static LogOptions options() {
        LogOptions options;
        options.segment_bytes = 1000;
        options.compression = Compression::none;
        options.tail_cache_bytes = 0;
        options.retention = 7 * 24h;
        return options;
    }
    void append_some() {
        for (int i = 0; i < 50; ++i) {
            log.append(std::string(100, 'x'));
            log.clock.advance(1s);
        }
    }
    void clean() { must(delete_expired(files, *log, log.clock)); }
    /// The clock of the test is not that of the file system.
    void stop() {
        for (const auto& segment : log->segments().all()) {
            const auto file = must(files.open(segment->path(), OpenMode::read_write));
            must(file->set_modified(segment->modified()));
        }
        log.kill();
    }

    PosixFileSystem files;
    TestLog log;
};

}  // namespace

TEST_CASE("retention: a clock that is set forward makes nothing older than it is") {
    GatewayOf1970 gateway;
    gateway.append_some();
    gateway.log.clock.set(kIn2023);
    gateway.clean();
    CHECK(gateway.log.values().size() == 50);
    SUBCASE("in this process") {}
    SUBCASE("nor for the next one") {
        gateway.stop();
        gateway.log.open();
        gateway.clean();
        CHECK(gateway.log.values().size() == 50);
    }
    gateway.log.clock.advance(7 * 24h - 2min);
    gateway.clean();
    CHECK(gateway.log.values().size() == 50);
    gateway.log.clock.advance(5min);
    gateway.clean();
    CHECK(gateway.log.values().size() < 10);
}

TEST_CASE("retention: what a process without a clock has left is kept from when the next one finds it") {
    GatewayOf1970 gateway;
    gateway.append_some();
    gateway.stop();
    SUBCASE("with its clock set") {
        gateway.log.clock.set(kIn2023);
        gateway.log.open();
    }
    SUBCASE("with its clock set later") {
        gateway.log.open();
        gateway.log.clock.set(kIn2023);
    }
    gateway.clean();
    CHECK(gateway.log.values().size() == 50);
    gateway.log.clock.advance(24h);
    gateway.stop();
    gateway.log.open();
    gateway.log.clock.advance(6 * 24h + 1h);
    gateway.clean();
    CHECK(gateway.log.values().size() < 10);
}

TEST_CASE("retention: a clock that is set back keeps nothing longer") {
    GatewayOf1970 gateway;
    gateway.log.clock.set(kIn2023 + 4 * 365 * 24h);  // a wrong date
    gateway.append_some();
    gateway.log.clock.set(kIn2023);
    SUBCASE("in this process") {
        gateway.clean();
        CHECK(gateway.log.values().size() == 50);
        gateway.log.clock.advance(7 * 24h + 1min);
    }
    SUBCASE("nor in the next one, which finds the right time") {
        gateway.clean();
        gateway.log.clock.advance(3 * 24h);
        gateway.stop();
        gateway.log.open();
        gateway.log.clock.advance(4 * 24h + 1min);
    }
    SUBCASE("and a time in the future counts from when it was found") {
        gateway.stop();
        gateway.log.open();
        gateway.log.clock.advance(6 * 24h);
        gateway.clean();
        CHECK(gateway.log.values().size() == 50);
        gateway.log.clock.advance(24h + 1min);
    }
    gateway.clean();
    CHECK(gateway.log.values().size() < 10);
}

TEST_CASE("retention: a process that starts before its clock is set takes no time from what it finds") {
    GatewayOf1970 gateway;
    gateway.log.clock.set(kIn2023);
    gateway.append_some();
    gateway.log.clock.advance(6 * 24h);
    gateway.stop();
    gateway.log.clock.set(kIn1970);
    gateway.log.open();
    gateway.clean();
    CHECK(gateway.log.values().size() == 50);
    gateway.log.clock.set(kIn2023 + 7 * 24h + 2min);
    gateway.clean();
    CHECK(gateway.log.values().size() < 10);
}

TEST_CASE("retention: a segment that can't be deleted, whatever call fails, is not forgotten, and the next one stays") {
    for (int call = 0; call < 12; ++call) {
        CAPTURE(call);
        Faults faults;
        FaultFileSystem files(faults);
        TestLog log(small_segments(100), &files);
        for (const auto* value : {"a", "b", "c", "d"}) log.append(value);
        faults.fail_at = faults.changes + call;
        const auto failed = delete_oldest(files, *log, "test");
        const bool there = std::filesystem::exists(log.segment(0));
        CHECK(log->log_start_offset() == Offset(there ? 0 : 1));
        faults.fail_at = -1;
        if (there) must(delete_oldest(files, *log, "test"));
        REQUIRE_FALSE(log.gaps.empty());
        CHECK(log.gaps.front().first == Offset(0));
        CHECK(log.values() == std::vector<std::string>{"b", "c", "d"});
        log.kill();
        log.open();
        CHECK(log.values() == std::vector<std::string>{"b", "c", "d"});
        CHECK(must(verify_log(files, log.directory(), {})).faults == 0);
    }
}
