#include "storage/time_index.hpp"

#include "storage/log.hpp"
#include "storage/verify.hpp"
#include "tests/support/log_builder.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <string>

using namespace sluice::storage;
using namespace sluice::test;

namespace {

constexpr std::uint64_t kTimedSegmentBytes = 20'000;

Timestamp at(std::int64_t second) {
    return Timestamp(std::chrono::seconds(1'700'000'000 + second));
}

void append_at(TestLog& log, std::int64_t second) {
    auto one = record(std::string(200, 'x'));
    one.timestamp = at(second);
    must(log.append_only({one}));
    must(log->commit());
}

}  // namespace

TEST_CASE("log: the first record since a time, in closed segments and in the active one") {
    TestLog log(small_segments(kTimedSegmentBytes));
    for (std::int64_t i = 0; i < 300; ++i) append_at(log, i * 10);
    CHECK(log->segments().closed().size() > 2);
    for (const std::int64_t i : {0, 1, 57, 150, 298, 299}) {
        CHECK(must(log->offset_for(at(i * 10))) == Offset(i));
        CHECK(must(log->offset_for(at(i * 10 - 3))) == Offset(i));
    }
    CHECK(must(log->offset_for(at(2991))) == log->high_watermark());
    CHECK(must(log->offset_for(at(-1000))) == Offset(0));
}

TEST_CASE("log: a device whose clock jumps hides no record from a search by time") {
    TestLog log(small_segments(kTimedSegmentBytes));
    for (int i = 0; i < 300; ++i) append_at(log, i % 50 == 7 ? 5000 : i * 10);
    CHECK(must(log->offset_for(at(4000))) == Offset(7));
    CHECK(must(log->offset_for(at(60))) == Offset(6));
    CHECK(must(log->offset_for(at(100))) == Offset(7));  // the first one that is not earlier
}

TEST_CASE("time index: missing, cut or foreign, the search finds the same") {
    TestLog log(small_segments(kTimedSegmentBytes));
    for (std::int64_t i = 0; i < 300; ++i) append_at(log, i * 10);
    const auto path = log.segment(0, kTimeIndexSuffix);
    const auto good = read_bytes(path);
    const auto last = Offset((*log->segments().closed().front()->next_base()).value() - 1);
    for (const auto& bad : {good.substr(0, good.size() - 5), good.substr(0, TimeIndex::kEntryBytes),
                            std::string(24, '\x01'), std::string(24, '\0'), good + good}) {
        write_bytes(path, bad);
        CHECK(must(log->offset_for(at(205))) == Offset(21));
        CHECK(must(log->offset_for(at(last.value() * 10))) == last);
        log.kill();
        log.open();
    }
    std::filesystem::remove(path);
    CHECK(must(log->offset_for(at(205))) == Offset(21));
    write_bytes(path, good.substr(0, good.size() - TimeIndex::kEntryBytes));
    must(log->segments().closed().front()->repair_indexes());
    CHECK(read_bytes(path) == good);
    log.kill();
    log.open();
    write_bytes(path, "x");
    must(log->segments().closed().front()->repair_indexes());
    CHECK(read_bytes(path) == good);
}

TEST_CASE("time index: wrong and in order, the search finds the same, and verify says so") {
    auto options = small_segments(kTimedSegmentBytes);
    options.segment_bytes = 100'000;
    TestLog log(options);
    for (std::int64_t i = 0; i < 300; ++i) append_at(log, i * 10);
    must(log->roll());
    const auto path = log.segment(0, kTimeIndexSuffix);
    const auto good = read_bytes(path);
    PosixFileSystem files;
    REQUIRE(must(verify_log(files, log.directory(), {})).faults == 0);
    for (std::size_t bit = 0; bit < good.size() * 8; bit += 31) {
        CAPTURE(bit);
        auto bad = good;
        bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
        write_bytes(path, bad);
        CHECK(must(verify_log(files, log.directory(), {})).faults > 0);
        for (std::int64_t i = 0; i < 300; i += 41) CHECK(must(log->offset_for(at(i * 10))) == Offset(i));
    }
}

TEST_CASE("recovery: opening starts where the index files end, and finds the same") {
    LogOptions options;
    options.compression = Compression::none;
    options.tail_cache_bytes = 0;
    TestLog log(options);
    for (int i = 0; i < 40; ++i) log.append(std::string(100'000, 'x') + std::to_string(i));
    log.kill();
    const auto index = read_bytes(log.segment(0, kIndexSuffix));
    CHECK(index.size() >= 8 * 20);  // written after each MiB that was synced
    const auto all = [&] {
        log.open();
        CHECK(log->log_end_offset() == Offset(40));
        CHECK(log.values().size() == 40);
        CHECK(must(log->offset_for(at(0))) == Offset(0));
        log.kill();
    };
    all();
    SUBCASE("an index that names what is not there is not believed") {
        auto wrong = index;
        wrong.back() = static_cast<char>(wrong.back() + 1);
        write_bytes(log.segment(0, kIndexSuffix), wrong);
        all();
    }
    SUBCASE("nor one without its times") {
        std::filesystem::remove(log.segment(0, kTimeIndexSuffix));
        all();
    }
    SUBCASE("a tail that was torn after the recovery point is cut") {
        log.open();
        log.append("torn");
        log.kill();
        auto bytes = read_bytes(log.segment(0));
        bytes[bytes.rfind("torn")] = 'T';
        write_bytes(log.segment(0), bytes);
        all();
        CHECK(log.gaps.empty());
    }
    SUBCASE("one that was durable at the last start is a gap") {
        auto bytes = read_bytes(log.segment(0));
        bytes.resize(bytes.size() - 1000);
        write_bytes(log.segment(0), bytes);
        log.open();
        CHECK(log->log_end_offset() == Offset(40));
        REQUIRE(log.gaps.size() == 1);
        CHECK(log.gaps[0].first == Offset(39));
    }
}
