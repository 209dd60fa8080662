#include "storage/log.hpp"

#include "storage/retention.hpp"
#include "storage/verify.hpp"
#include "tests/support/fault_file_system.hpp"
#include "tests/support/log_builder.hpp"
#include "tests/support/sim_file_system.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <string>
#include <vector>

using namespace sluice::storage;
using namespace sluice::test;
using Values = std::vector<std::string>;

namespace {

constexpr std::uint64_t kLogSegmentBytes = 300;  // about three batches of one record

Values numbered(int from, int to) {
    Values values;
    for (int i = from; i < to; ++i) values.push_back("value-" + std::to_string(i));
    return values;
}

void append_numbered(TestLog& log, int from, int to) {
    for (const auto& value : numbered(from, to)) log.append(value);
}

std::size_t segment_count(const TestLog& log) {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(log.directory())) {
        if (entry.path().extension() == ".log") ++count;
    }
    return count;
}

/// Where the last batch of the first segment ends.
std::uint64_t batches_end(const TestLog& log) {
    const auto file = must(PosixFileSystem().open(log.segment(0), OpenMode::read));
    return must(scan_segment(*file, Offset(0), BatchMarks::unknown())).end.value();
}

}  // namespace

TEST_CASE("log: what was committed is read back in order, from any offset") {
    TestLog log(small_segments(kLogSegmentBytes));
    append_numbered(log, 0, 20);
    CHECK(segment_count(log) > 3);
    for (int from = 0; from <= 20; ++from) CHECK(log.values(from) == numbered(from, 20));
    CHECK(log->log_start_offset() == Offset(0));
    CHECK(log->high_watermark() == Offset(20));
}

TEST_CASE("log: a reader in the middle of a batch gets the rest of it") {
    TestLog log;
    log.append_batch(numbered(0, 10));
    for (int from = 0; from <= 10; ++from) CHECK(log.values(from) == numbered(from, 10));
}

TEST_CASE("log: a reader sees nothing that is not committed, and goes on when it is") {
    TestLog log;
    log.append("a");
    LogReader reader(*log, Offset(0));
    CHECK(must(reader.next())->records().size() == 1);
    must(log.append_only({record("b")}));
    CHECK_FALSE(must(reader.next()).has_value());
    must(log->commit());
    CHECK(must(reader.next())->records()[0].value == "b");
}

TEST_CASE("log: subscribers are woken by a commit until they end their subscription") {
    TestLog log;
    int woken = 0;
    auto subscription = log->subscribe([&] { ++woken; });
    log.append("a");
    CHECK(woken == 1);
    subscription.reset();
    log.append("b");
    CHECK(woken == 1);
}

TEST_CASE("log: after a clean stop everything is there, the id too, and the file has no preallocated tail") {
    TestLog log(small_segments(kLogSegmentBytes));
    append_numbered(log, 0, 10);
    const auto id = log->id();
    must(log->close());
    const auto last = read_bytes(log.segment(9));
    CHECK(last.find(std::string(64, '\0')) == std::string::npos);
    log.open();
    CHECK(log->id() == id);
    CHECK(log.values() == numbered(0, 10));
    append_numbered(log, 10, 12);
    CHECK(log.values() == numbered(0, 12));
}

TEST_CASE("recovery: a kill leaves everything that was committed") {
    TestLog log(small_segments(kLogSegmentBytes));
    for (int i = 0; i < 30; ++i) {
        append_numbered(log, i, i + 1);
        log.kill();
        log.open();
        CHECK(log.values() == numbered(0, i + 1));
    }
    CHECK(log.gaps.empty());
}

TEST_CASE("recovery: a torn tail is cut before the first append, wherever it was torn") {
    TestLog log;
    append_numbered(log, 0, 3);
    const auto before = batches_end(log);
    append_numbered(log, 3, 4);
    log.kill();
    const auto whole = read_bytes(log.segment(0));
    const auto end = before + (before / 3);
    for (auto cut = before; cut < end; ++cut) {
        CAPTURE(cut);
        log.kill();
        write_bytes(log.segment(0), whole.substr(0, cut));
        log.open();
        CHECK(log.values() == numbered(0, 3));
        CHECK(log->log_end_offset() == Offset(3));
        append_numbered(log, 3, 5);
        CHECK(log.values() == numbered(0, 5));
    }
    CHECK(log.gaps.empty());
}

TEST_CASE("recovery: garbage in the preallocated space is cut") {
    TestLog log;
    append_numbered(log, 0, 3);
    log.kill();
    auto bytes = read_bytes(log.segment(0));
    bytes.replace(bytes.size() - 5000, 100, std::string(100, 'x'));
    write_bytes(log.segment(0), bytes);
    log.open();
    CHECK(log.values() == numbered(0, 3));
    append_numbered(log, 3, 4);
    CHECK(log.values() == numbered(0, 4));
}

TEST_CASE("recovery: damage with intact batches after it is set aside and reported as a gap, and the rest is served") {
    TestLog log;
    append_numbered(log, 0, 5);
    log.kill();
    auto bytes = read_bytes(log.segment(0));
    bytes[bytes.find("value-1")] ^= 1;
    bytes[bytes.find("value-2")] ^= 1;
    write_bytes(log.segment(0), bytes);
    log.open();
    CHECK(log.values() == Values{"value-0", "value-3", "value-4"});
    REQUIRE(log.gaps.size() == 1);
    CHECK(log.gaps[0].first == Offset(1));
    CHECK(log.gaps[0].next == Offset(3));
    bool kept = false;
    for (const auto& entry : std::filesystem::directory_iterator(log.directory())) {
        if (entry.path().string().find(".damaged-") != std::string::npos) {
            kept = read_bytes(entry.path().string()).find("alue-1") != std::string::npos;
        }
    }
    CHECK(kept);
    append_numbered(log, 5, 6);
    log.kill();
    log.open();
    CHECK(log.values() == Values{"value-0", "value-3", "value-4", "value-5"});
    CHECK(log.gaps.size() == 1);  // reported once, not at every start
}

TEST_CASE("reader: damage in a closed segment is skipped and reported once") {
    TestLog log(small_segments(kLogSegmentBytes));
    append_numbered(log, 0, 10);
    auto bytes = read_bytes(log.segment(0));
    bytes[bytes.find("value-1")] ^= 1;
    write_bytes(log.segment(0), bytes);
    auto expected = numbered(0, 10);
    expected.erase(expected.begin() + 1);
    CHECK(log.values() == expected);
    CHECK(log.values() == expected);
    REQUIRE(log.gaps.size() == 1);
    CHECK(log.gaps[0].first == Offset(1));
    CHECK(log.gaps[0].next == Offset(2));
}

TEST_CASE("reader: a closed segment that lost its end is a gap up to the next one") {
    TestLog log(small_segments(kLogSegmentBytes));
    append_numbered(log, 0, 10);
    must(log->close());
    const auto bytes = read_bytes(log.segment(0));
    write_bytes(log.segment(0), bytes.substr(0, bytes.size() - 10));
    log.open();
    auto expected = numbered(0, 10);
    expected.erase(expected.begin() + 2);
    CHECK(log.values() == expected);
    CHECK(log.gaps.size() == 1);
}

TEST_CASE("segment: a missing, cut or foreign index changes nothing") {
    LogOptions options;
    options.segment_bytes = 64U << 10U;
    options.compression = Compression::none;
    TestLog log(options);
    const std::string padding(500, 'p');
    for (int i = 0; i < 300; ++i) log.append(padding + std::to_string(i));
    must(log->close());
    const auto good = read_bytes(log.segment(0, kIndexSuffix));
    REQUIRE(good.size() >= 8 * 10);
    const auto check = [&] {
        log.open();
        CHECK(log.values(77).front() == padding + "77");
        CHECK(log.values(77).size() == 300 - 77);
        log.kill();
    };
    check();
    std::filesystem::remove(log.segment(0, kIndexSuffix));
    check();
    for (const auto& bad : {good.substr(0, good.size() - 3), good.substr(0, 16), std::string(80, '\x7f'),
                            std::string(80, '\0'), good + good, std::string(1U << 20U, 'x')}) {
        write_bytes(log.segment(0, kIndexSuffix), bad);
        check();
    }
    std::string shifted = good;  // in order, but pointing into the middle of batches
    for (std::size_t i = 7; i < shifted.size(); i += 8) shifted[i] = static_cast<char>(shifted[i] + 1);
    write_bytes(log.segment(0, kIndexSuffix), shifted);
    check();
    CHECK(log.gaps.empty());
}

TEST_CASE("log: segments roll by size and by age, by receive time and not by the records' time") {
    LogOptions options;
    options.segment_age = std::chrono::hours(1);
    TestLog log(options);
    auto odd = record("from the future");
    odd.timestamp = Timestamp(std::chrono::milliseconds(9'000'000'000'000));
    must(log.append_only({odd}));
    must(log->commit());
    log.append("a");
    CHECK(segment_count(log) == 1);
    log.clock.advance(std::chrono::minutes(61));
    log.append("b");
    CHECK(segment_count(log) == 2);
}

TEST_CASE("log: without its id or its segments it is another log") {
    TestLog log;
    log.append("a");
    const auto id = log->id();
    log.kill();
    SUBCASE("the id is lost: the records are served under a new one") {
        std::filesystem::remove(log.directory() + "/log-id");
        std::filesystem::remove(log.directory() + "/recovery-point");
        log.open();
        CHECK(log.values() == Values{"a"});
        REQUIRE(log.gaps.size() == 1);
        CHECK(log.gaps[0].count == 0);
        CHECK(log.gaps[0].reason.find("forwarded again") != std::string::npos);
    }
    SUBCASE("the segments are lost") {
        std::filesystem::remove(log.segment(0));
        log.open();
        CHECK(log.values().empty());
    }
    CHECK_FALSE(log->id() == id);
    const auto new_id = log->id();
    log.kill();
    log.open();
    CHECK(log->id() == new_id);
}

TEST_CASE("log: a file that is named beyond the last offset is no segment, and verify says so") {
    TestLog log;
    log.append("a");
    must(log->close());
    log.kill();
    PosixFileSystem files;
    CHECK(must(verify_log(files, log.directory(), {})).faults == 0);
    write_bytes(log.directory() + "/00100000000000000000.log", "");
    CHECK(must(verify_log(files, log.directory(), {})).faults == 1);
    log.open();
    log.append("b");
    log.kill();
    log.open();
    CHECK(log.values() == Values{"a", "b"});
}

TEST_CASE("log: at the last offset nothing more is accepted") {
    TestLog log;
    log.kill();
    const std::int64_t last = (std::int64_t{1} << 46U) - 1;
    std::filesystem::rename(log.segment(0), log.segment(last));
    log.open();
    log.append("a");
    const auto refused = log.append_only({record("b")});
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().kind() == Errc::invalid);
    log.kill();
    log.open();
    CHECK(log.values() == Values{"a"});
}

TEST_CASE("retention: closed segments go by age and by size, but not before they are forwarded") {
    auto options = small_segments(kLogSegmentBytes);
    options.retention = std::chrono::hours(1);
    PosixFileSystem files;
    TestLog log(options);
    log.clock.set(std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now()));
    append_numbered(log, 0, 20);
    const auto clean = [&](std::int64_t finished) {
        log->set_finished(Offset(finished));
        must(delete_expired(files, *log, log.clock));
    };
    clean(20);
    CHECK(log->log_start_offset() == Offset(0));
    log.clock.advance(std::chrono::hours(2));
    clean(0);
    CHECK(log->log_start_offset() == Offset(0));
    clean(10);
    CHECK(log->log_start_offset() > Offset(3));
    CHECK(log->log_start_offset() <= Offset(10));
    CHECK(log.gaps.empty());
    const auto start = static_cast<int>(log->log_start_offset().value());
    CHECK(log.values() == numbered(start, 20));
    clean(20);
    CHECK(segment_count(log) == 1);
}

TEST_CASE("retention: what is given up before it was forwarded is reported as a gap") {
    auto options = small_segments(kLogSegmentBytes);
    options.retention_bytes = 400;
    options.hold_until_forwarded = false;
    TestLog log(options);
    append_numbered(log, 0, 20);
    PosixFileSystem files;
    log->set_finished(Offset(4));
    must(delete_expired(files, *log, log.clock));
    const auto start = log->log_start_offset();
    CHECK(log->size_bytes() <= 400);
    std::int64_t next = 4;
    for (const auto& gap : log.gaps) {
        CHECK(gap.first == Offset(next));
        next = gap.next.value();
    }
    CHECK(Offset(next) == start);
}

TEST_CASE("log: a reader in a segment that is deleted reads on") {
    TestLog log(small_segments(kLogSegmentBytes));
    append_numbered(log, 0, 20);
    LogReader reader(*log, Offset(0));
    CHECK(must(reader.next())->records()[0].value == "value-0");
    PosixFileSystem files;
    log->set_finished(Offset(20));
    CHECK(must(delete_finished(files, *log)));
    CHECK(must(reader.next())->records()[0].value == "value-1");
    int seen = 2;
    while (must(reader.next())) ++seen;
    CHECK(seen > 2);
    CHECK(reader.position() == Offset(20));
}

TEST_CASE("log: a failed sync closes it for writing") {
    Faults faults;
    FaultFileSystem files(faults);
    TestLog log({}, &files);
    log.append("a");
    faults.fail_syncs = true;
    must(log.append_only({record("b")}));
    const auto failed = log->commit();
    REQUIRE_FALSE(failed.has_value());
    CHECK(failed.error().kind() == Errc::sync_failed);
    CHECK(log->high_watermark() == Offset(1));
    faults.fail_syncs = false;
    CHECK(log->commit().error().kind() == Errc::sync_failed);
    CHECK(log.append_only({record("c")}).error().kind() == Errc::sync_failed);
    CHECK(log.values() == Values{"a"});
}

TEST_CASE("log: a sync that finds the disk full is no reason to try again, wherever a roll or a commit makes it") {
    for (const bool at_roll : {true, false}) {
        CAPTURE(at_roll);
        Faults faults;
        faults.error_number = ENOSPC;
        FaultFileSystem files(faults);
        TestLog log(small_segments(kLogSegmentBytes), &files);
        must(log.append_only({record("a")}));
        faults.fail_syncs = true;
        const auto failed = at_roll ? log->roll() : log->commit();
        faults.fail_syncs = false;  // the system says it once
        REQUIRE_FALSE(failed.has_value());
        CHECK(failed.error().kind() == Errc::sync_failed);
        CHECK(failed.error().code().value() == ENOSPC);
        CHECK_FALSE(log->commit().has_value());
        CHECK(log->high_watermark() == Offset(0));
        CHECK(log.append_only({record("b")}).error().kind() == Errc::sync_failed);
    }
}

TEST_CASE("log: whichever change finds the disk full, nothing is lost and appending goes on when there is space") {
    for (int n = 0; n < 60; ++n) {
        CAPTURE(n);
        Faults faults;
        faults.error_number = ENOSPC;
        FaultFileSystem files(faults);
        TestLog log(small_segments(kLogSegmentBytes), &files);
        append_numbered(log, 0, 2);
        faults.lasting = true;
        faults.fail_at = faults.changes + n;
        int accepted = 2;
        bool full = false;
        bool closed = false;
        for (int tries = 0; tries < 12 && !full && !closed; ++tries) {
            const auto appended = log.append_only({record("value-" + std::to_string(accepted))});
            if (!appended) {
                full = appended.error().kind() == Errc::no_space;
                closed = !full;
            } else if (log->commit()) {
                ++accepted;
            } else {
                closed = true;  // the sync itself failed
            }
        }
        faults.fail_at = -1;
        if (full) append_numbered(log, accepted, accepted + 6);
        const int expected = full ? accepted + 6 : accepted;
        CHECK(log.values() == numbered(0, expected));
        log.kill();
        log.open();
        auto values = log.values();
        REQUIRE(static_cast<int>(values.size()) >= expected);  // an append whose sync failed may be there
        values.resize(static_cast<std::size_t>(expected));
        CHECK(values == numbered(0, expected));
    }
}

TEST_CASE("log: an error at any change of opening is an error, and the next start has everything") {
    TestLog log(small_segments(kLogSegmentBytes));
    append_numbered(log, 0, 7);
    log.kill();
    for (int n = 0; n < 8; ++n) {
        Faults faults;
        faults.fail_at = n;
        FaultFileSystem files(faults);
        DiskBudget budget;
        static_cast<void>(Log::open({files, log.clock, budget, {}}, log.directory(), "s", log.options));
        log.open();
        CHECK(log.values() == numbered(0, 7));
        log.kill();
    }
}

TEST_CASE("recovery: a batch that is the payload of a damaged one hides nothing, whatever its offset") {
    auto options = small_segments(kLogSegmentBytes);
    options.segment_bytes = 1U << 20U;
    TestLog log(options);
    append_numbered(log, 0, 5);
    must(log->roll());
    BatchBuilder inner;
    inner.add(record("inside"));
    const auto image = must(inner.finish(Offset(0), Compression::none, BatchMarks())).bytes;
    const auto base = log->log_end_offset().value();
    append_numbered(log, 5, 8);
    log.append("before" + std::string(reinterpret_cast<const char*>(image.data()), image.size()));
    append_numbered(log, 8, 12);
    log.kill();
    auto bytes = read_bytes(log.segment(base));
    const auto damaged = bytes.find("before");
    REQUIRE(damaged != std::string::npos);
    bytes[damaged] = static_cast<char>(bytes[damaged] ^ 1);
    write_bytes(log.segment(base), bytes);
    log.open();
    CHECK(log->log_end_offset() == Offset(base + 8));
    CHECK(log.gaps.size() == 1);
    CHECK(log.values(base + 4) == numbered(8, 12));
}

TEST_CASE("log: a clean stop after a roll that found no space for the next segment") {
    bool met = false;
    for (int at = 0; at < 60 && !met; ++at) {
        Faults faults;
        FaultFileSystem files(faults);
        TestLog log(small_segments(kLogSegmentBytes), &files);
        append_numbered(log, 0, 2);
        faults.error_number = ENOSPC;
        faults.lasting = true;
        faults.fail_at = faults.changes + at;
        const auto rolled = log->roll();
        faults.fail_at = -1;
        met = !rolled && rolled.error().kind() == Errc::no_space && log->segments().all().back()->next_base();
        if (!met) continue;
        must(log->close());
        log.kill();
        log.open();
        CHECK(log.values() == numbered(0, 2));
    }
    CHECK(met);
}

TEST_CASE("log: a segment is rolled by its age whatever becomes of the wall clock") {
    LogOptions options;
    options.segment_age = std::chrono::hours(24);
    TestLog log(options);
    const auto right = log.clock.now();
    log.clock.set(right + std::chrono::hours(24 * 365));
    log.append("a");
    log.clock.set(right);
    for (int day = 0; day < 10; ++day) {
        log.clock.advance(std::chrono::hours(25));
        log.append("b");
    }
    CHECK(log->segments().all().size() == 11);
}

TEST_CASE("log: after a kill it opens on a full disk that never writes in place, and appends wait") {
    SimFileSystem files(1);
    files.never_write_in_place();
    TestLog log({}, &files);
    for (int i = 0; i < 3; ++i) log.append("x");
    log.kill();
    files.set_capacity(0);
    must(log.try_open());
    CHECK(log.values() == Values{"x", "x", "x"});
    const auto refused = log.append_only({record("y")});
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().kind() == Errc::no_space);
    CHECK_FALSE(log->close().has_value());  // what is not known to be on the medium gets no recovery point
    log.kill();
    must(log.try_open());
    files.set_capacity(1U << 20U);
    log.append("y");
    CHECK(log.values() == Values{"x", "x", "x", "y"});
    must(log->close());
}
