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
