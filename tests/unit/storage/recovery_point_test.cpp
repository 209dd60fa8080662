#include "storage/recovery_point.hpp"

#include "storage/log_id_file.hpp"
#include "storage/recovery.hpp"
#include "storage/salvage_file_system.hpp"
#include "storage/verify.hpp"
#include "tests/support/fault_file_system.hpp"
#include "tests/support/log_builder.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <string>
#include <vector>

using namespace sluice::storage;
using namespace sluice::test;
using Values = std::vector<std::string>;

namespace {

LogOptions from_files() {
    LogOptions options;
    options.compression = Compression::none;
    options.tail_cache_bytes = 0;
    return options;
}

void damage_last_byte(const std::string& path) {
    auto bytes = read_bytes(path);
    bytes.back() = static_cast<char>(bytes.back() ^ 1);
    write_bytes(path, bytes);
}

/// Of a log that was stopped in order.
void damage_the_end_on_a_full_disk(TestLog& log, Faults& faults) {
    for (const auto* value : {"a", "b", "c"}) log.append(value);
    must(log->close());
    log.kill();
    damage_last_byte(log.segment(0));
    faults.error_number = ENOSPC;
    faults.fail_creates = true;
}

std::vector<std::string> what_is_wrong(FileSystem& files, const TestLog& log) {
    std::vector<std::string> found;
    must(verify_log(files, log.directory(), [&](const Finding& finding) {
        if (finding.kind == Finding::Kind::fault) found.push_back(finding.what);
    }));
    return found;
}

}  // namespace

TEST_CASE(
    "recovery point: what was there at a clean stop and is damaged is a gap, and its offsets are not given again") {
    TestLog log(from_files());
    for (const auto* value : {"a", "b", "c"}) log.append(value);
    must(log->close());
    log.kill();
    damage_last_byte(log.segment(0));
    PosixFileSystem files;
    CHECK(what_is_wrong(files, log) == Values{"offsets 2 to 2 are missing: the agent knew that they were there"});
    log.open();
    REQUIRE(log.gaps.size() == 1);
    CHECK(log.gaps[0].first == Offset(2));
    CHECK(log.gaps[0].next == Offset(3));
    CHECK(log->log_end_offset() == Offset(3));
    log.append("d");
    CHECK(log.values() == Values{"a", "b", "d"});
    const auto set_aside = std::filesystem::directory_iterator(log.directory());
    CHECK(std::any_of(begin(set_aside), end(set_aside),
                      [](const auto& entry) { return entry.path().string().find(".damaged-") != std::string::npos; }));
    log.open();
    CHECK(log.gaps.size() == 1);  // said once
}

TEST_CASE("recovery point: without a clean stop a damaged end is an unfinished write") {
    TestLog log(from_files());
    for (const auto* value : {"a", "b", "c"}) log.append(value);
    must(log->close());
    log.open();
    log.append("d");
    const auto size = std::filesystem::file_size(log.segment(0));
    log.kill();
    auto bytes = read_bytes(log.segment(0));
    const auto last = bytes.rfind('d');
    REQUIRE(last != std::string::npos);
    bytes[last] = 'x';
    write_bytes(log.segment(0), bytes);
    CHECK(bytes.size() == size);
    log.open();
    CHECK(log.gaps.empty());
    CHECK(log.values() == Values{"a", "b", "c"});
    CHECK(log->log_end_offset() == Offset(3));
}

TEST_CASE("recovery point: one of another log, or one that makes no sense, is none") {
    TestLog log(from_files());
    PosixFileSystem files;
    const auto id = log->id();
    CHECK(must(load_recovery_point(files, log.directory(), id)) == RecoveryPoint());
    must(store_recovery_point(files, log.directory(), log->marks(), {Offset(42), std::nullopt}));
    CHECK(must(load_recovery_point(files, log.directory(), id)).end == Offset(42));
    CHECK(must(load_recovery_point(files, log.directory(), LogId::random())) == RecoveryPoint());
    for (const auto* text : {"", " 42", " -1\n", " 4x\n", " 99999999999999999999\n"}) {
        CAPTURE(text);
        write_bytes(log.directory() + "/recovery-point", (*text == 0 ? "" : id.to_string()) + text);
        CHECK(must(load_recovery_point(files, log.directory(), id)) == RecoveryPoint());
    }
}

TEST_CASE("recovery point: a log whose end went missing as a file is a gap too") {
    auto options = from_files();
    options.segment_bytes = 100;
    TestLog log(options);
    for (const auto* value : {"a", "b", "c"}) log.append(value);
    must(log->close());
    log.kill();
    std::filesystem::remove(log.segment(2));
    log.open();
    REQUIRE(log.gaps.size() == 1);
    CHECK(log.gaps[0].first == Offset(2));
    CHECK(log->log_end_offset() == Offset(3));
}

TEST_CASE("repair: the end that a clean stop has noted is set aside, and the agent reports it") {
    TestLog log(from_files());
    for (const auto* value : {"a", "b", "c"}) log.append(value);
    must(log->close());
    log.kill();
    damage_last_byte(log.segment(0));
    PosixFileSystem files;
    std::vector<Gap> lost;
    must(repair_log(files, log.directory(), "s", [&](const Gap& gap) { lost.push_back(gap); }));
    REQUIRE(lost.size() == 1);
    CHECK(lost[0].first == Offset(2));
    CHECK(lost[0].next == Offset(3));
    log.open();
    CHECK(log->log_end_offset() == Offset(3));
}

TEST_CASE("salvage: a block that can't be read is damage, and what is behind it is kept") {
    Faults disk;
    FaultFileSystem failing(disk);
    auto options = from_files();
    TestLog log(options, &failing);
    for (int i = 0; i < 300; ++i) log.append(std::string(100, 'v') + std::to_string(i));
    must(log->roll());
    must(log->close());
    log.kill();
    disk.unreadable_from = 8192;
    disk.unreadable_to = 8192 + 4096;
    int told = 0;
    SalvageFileSystem salvage(failing, [&](const std::string& path, FilePosition block) {
        CHECK(path == log.segment(0));
        CHECK(block == FilePosition(8192));
        ++told;
    });
    CHECK_FALSE(verify_log(failing, log.directory(), {}).has_value());
    CHECK(what_is_wrong(salvage, log).size() >= 1);
    CHECK(told > 0);
    std::vector<Gap> lost;
    must(repair_log(salvage, log.directory(), "s", [&](const Gap& gap) { lost.push_back(gap); }));
    disk.unreadable_to = 0;
    REQUIRE(lost.size() == 1);
    CHECK(lost[0].next - lost[0].first < 30);
    log.open();
    CHECK(log.values().size() == static_cast<std::size_t>(300 - (lost[0].next - lost[0].first)));
    CHECK(what_is_wrong(failing, log).empty());
}

TEST_CASE("log: a segment's age goes on over restarts") {
    auto options = from_files();
    options.segment_age = std::chrono::hours(1);
    TestLog log(options);
    log.clock.set(Timestamp(
        std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())));
    log.append("a");
    for (int i = 0; i < 3; ++i) {
        log.clock.advance(std::chrono::minutes(30));
        must(log->close());
        log.open();
    }
    log.append("b");
    CHECK(std::filesystem::exists(log.segment(1)));
}

namespace {

/// A log whose index has entries: some are written after each MiB that was synced.
struct Indexed {
    Indexed() : log(from_files()) {
        for (int i = 0; i < 60; ++i) log.append(std::string(40'000, 'x'));
        batch_bytes = log->size_bytes() / 60;
        log.kill();
        REQUIRE(std::filesystem::file_size(log.segment(0, kIndexSuffix)) > 100);
    }
    [[nodiscard]] std::int64_t proven() {
        return must(proven_end(files, log.directory(), Offset(0), must(load_batch_marks(files, log.directory()))))
            .value();
    }
    PosixFileSystem files;
    TestLog log;
    std::uint64_t batch_bytes = 0;
};

}  // namespace

TEST_CASE("recovery point: damage that a full disk leaves where it is is told again by the next start") {
    Faults faults;
    FaultFileSystem files(faults);
    TestLog log(from_files(), &files);
    damage_the_end_on_a_full_disk(log, faults);
    log.open();
    REQUIRE(log.gaps.size() == 1);
    CHECK(log->log_end_offset() == Offset(3));
    faults.fail_creates = false;
    log.append("d");
    log.kill();
    log.gaps.clear();
    log.open();
    CHECK(log.values() == Values{"a", "b", "d"});
    REQUIRE_FALSE(log.gaps.empty());
    CHECK(log.gaps[0].first == Offset(2));
    CHECK(log.gaps[0].next == Offset(3));
}

TEST_CASE(
    "recovery point: after a kill, what the index proves to be missing is a gap, and its offsets are not given again") {
    const auto cut = [](std::uint64_t bytes, bool to_zeros) {
        return [=](const std::string& path) {
            const auto size = std::filesystem::file_size(path);
            std::filesystem::resize_file(path, bytes);
            if (to_zeros) std::filesystem::resize_file(path, size);
        };
    };
    const auto batch_bytes = Indexed().batch_bytes;
    for (const auto& lose : {cut(10 * batch_bytes, false), cut(500'000, false), cut(500'000, true), cut(0, false)}) {
        for (const bool repaired : {false, true}) {
            CAPTURE(repaired);
            Indexed indexed;
            auto& log = indexed.log;
            lose(log.segment(0));
            const auto proven = indexed.proven();
            CHECK(proven > 25);
            CHECK(what_is_wrong(indexed.files, log).size() == 1);
            const auto bound = log.point().bound();
            CHECK(bound > Offset(1'000'000));
            Offset lost_to;
            if (repaired) {
                must(repair_log(indexed.files, log.directory(), "s", [&](const Gap& gap) { lost_to = gap.next; }));
                CHECK(what_is_wrong(indexed.files, log).empty());
                CHECK(lost_to == bound);
            }
            log.open();
            REQUIRE_FALSE(log.gaps.empty());
            CHECK(log.gaps.back().next == bound);
            CHECK_FALSE(log.gaps.back().count.has_value());
            CHECK(log->log_end_offset() == bound);
            log.append("new");
            CHECK(static_cast<std::int64_t>(log.values().size()) == log.gaps.front().first.value() + 1);
            CHECK(what_is_wrong(indexed.files, log).empty());
        }
    }
}

TEST_CASE("recovery point: what an earlier start has found is no unfinished write") {
    TestLog log(from_files());
    for (const auto* value : {"a", "b", "c"}) log.append(value);
    log.kill();
    log.open();
    CHECK(log.point() == RecoveryPoint{Offset(3), std::nullopt});
    log.kill();
    damage_last_byte(log.segment(0));
    PosixFileSystem files;
    CHECK(what_is_wrong(files, log) == Values{"offsets 2 to 2 are missing: the agent knew that they were there"});
    log.open();
    REQUIRE(log.gaps.size() == 1);
    CHECK(log.gaps[0].first == Offset(2));
    CHECK(log.gaps[0].count == 1);
    CHECK(log->log_end_offset() == Offset(3));
}

TEST_CASE(
    "recovery point: a last segment that went missing after a kill is told, and none of its offsets given again") {
    TestLog log(small_segments(100));
    for (const auto* value : {"a", "b", "c"}) log.append(value);
    log.kill();
    const auto point = log.point();
    CHECK(point.end == Offset(2));
    REQUIRE(point.writing);
    CHECK(point.writing->segment == Offset(2));
    const auto bound = point.bound();
    CHECK(bound > Offset(3));
    std::filesystem::remove(log.segment(2));
    PosixFileSystem files;
    CHECK(what_is_wrong(files, log) == Values{"is missing: the agent has written to it"});
    SUBCASE("the next start does it") {
        log.open();
        REQUIRE(log.gaps.size() == 1);
        CHECK(log.gaps[0].first == Offset(2));
        CHECK(log.gaps[0].next == bound);
        CHECK_FALSE(log.gaps[0].count.has_value());
    }
    SUBCASE("repair does it") {
        std::vector<Gap> lost;
        must(repair_log(files, log.directory(), "s", [&](const Gap& gap) { lost.push_back(gap); }));
        REQUIRE(lost.size() == 1);
        CHECK(lost[0].first == Offset(2));
        CHECK(lost[0].next == bound);
        CHECK(what_is_wrong(files, log).empty());
        log.open();
        CHECK(log.gaps.size() == 1);  // as the repair has noted it
    }
    CHECK(log->log_end_offset() == bound);
    log.append("d");
    CHECK(log.values() == Values{"a", "b", "d"});
    log.gaps.clear();
    log.kill();
    log.open();
    CHECK(log.gaps.empty());
    CHECK(log->log_end_offset() == bound + 1);
    CHECK(what_is_wrong(files, log).empty());
}

TEST_CASE("recovery point: an end before what was forwarded is a loss after a kill") {
    TestLog log(from_files());
    for (const auto* value : {"a", "b", "c"}) log.append(value);
    log.kill();
    const auto bound = log.point().bound();
    std::filesystem::resize_file(log.segment(0), std::filesystem::file_size(log.segment(0)) / 1000);
    // The newest first: what is finished has a hole.
    log.finished_of = [](const LogId&) { return std::optional(Finished{Offset(0), Offset(3)}); };
    log.open();
    REQUIRE(log.gaps.size() == 2);
    CHECK(log.gaps[0].first == Offset(0));
    CHECK(log.gaps[0].count == 3);
    CHECK(log.gaps[1].first == Offset(3));
    CHECK(log.gaps[1].next == bound);
    CHECK_FALSE(log.gaps[1].count.has_value());
    CHECK(log->log_end_offset() == bound);
}

TEST_CASE("recovery point: a log that went beyond its bound has a further one") {
    TestLog log(from_files());
    log.append("a");
    const auto first = log.point().bound();
    std::vector<Record> many(100'000, record(""));
    while (log->log_end_offset() <= first) must(log.append_only(many));
    CHECK(log.point().bound() >= log->log_end_offset());
}

TEST_CASE("recovery point: where it is lost too, a log doesn't go back behind what was forwarded") {
    TestLog log(from_files());
    for (const auto* value : {"a", "b", "c"}) log.append(value);
    log.kill();
    std::filesystem::resize_file(log.segment(0), 10);
    std::filesystem::remove(log.directory() + "/recovery-point");
    SUBCASE("as it was") {}
    SUBCASE("durability \"flush\", and the power went") {
        log.options.durability = Durability::flush;
    }
    SUBCASE("durability \"memory\" by now") {
        log.options.durability = Durability::memory;
    }
    log.finished_of = [](const LogId&) { return std::optional(Finished{Offset(3), Offset(3)}); };
    log.open();
    CHECK(log->log_end_offset() == Offset(3));
    REQUIRE(log.gaps.size() == 1);
    CHECK(log.gaps[0].first == Offset(0));
    CHECK(log.gaps[0].next == Offset(3));
    CHECK(log->finished() == Offset(3));
    log.append("d");
    CHECK(log.values() == Values{"d"});
}

TEST_CASE("recovery point: the only segment of a log in memory is missed, and so is what was not written") {
    LogOptions options = from_files();
    options.durability = Durability::memory;
    TestLog log(options);
    log.append("a");
    log.clock.advance(options.memory_age_max + std::chrono::seconds(1));
    must(log->spill_if_due());
    log.append("b");
    log.kill();
    PosixFileSystem files;
    std::filesystem::remove(log.segment(0));
    CHECK(what_is_wrong(files, log).size() == 1);
    log.open();
    REQUIRE(log.gaps.size() == 1);
    CHECK(log.gaps[0].first == Offset(0));
    CHECK(log.gaps[0].next >= Offset(2));
    CHECK_FALSE(log.gaps[0].count.has_value());
}

TEST_CASE("log: that its id was lost is told until somebody has heard it") {
    TestLog log(from_files());
    log.append("a");
    log.kill();
    for (const auto* name : {"/log-id", "/recovery-point"}) std::filesystem::remove(log.directory() + name);
    log.tells = false;
    log.open();
    REQUIRE(log.gaps.size() == 1);
    CHECK(log.gaps[0].reason.find("log-id") != std::string::npos);
    log.gaps.clear();
    log.open();
    REQUIRE(log.gaps.size() == 1);
    log.gaps.back().told();
    log.gaps.clear();
    log.open();
    CHECK(log.gaps.empty());
}

TEST_CASE("repair: on a full disk nothing is said to be set aside") {
    Faults faults;
    FaultFileSystem files(faults);
    TestLog log(from_files(), &files);
    damage_the_end_on_a_full_disk(log, faults);
    int told = 0;
    const auto repaired = repair_log(files, log.directory(), "s", [&](const Gap&) { ++told; });
    REQUIRE_FALSE(repaired.has_value());
    CHECK(repaired.error().kind() == Errc::no_space);
    CHECK(told == 0);
}

TEST_CASE("recovery point: an index that is wrong proves nothing") {
    Indexed indexed;
    auto& log = indexed.log;
    auto index = read_bytes(log.segment(0, kIndexSuffix));
    const auto last = index.size() - OffsetIndex::kEntryBytes;
    SUBCASE("another offset") {
        index[last + 1] = 1;
    }
    SUBCASE("another position, far beyond the file") {
        index[last + 4] = 0x40;
    }
    write_bytes(log.segment(0, kIndexSuffix), index);
    log.open();
    CHECK(log.gaps.empty());
    CHECK(log->log_end_offset() == Offset(60));
}
