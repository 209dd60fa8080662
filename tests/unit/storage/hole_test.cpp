#include "storage/compaction.hpp"
#include "storage/gapless_from.hpp"
#include "storage/log_id_file.hpp"
#include "storage/quarantine.hpp"
#include "storage/verify.hpp"
#include "tests/support/log_builder.hpp"
#include "tests/support/sim_file_system.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

using namespace sluice::storage;
using namespace sluice::test;

namespace {

constexpr std::uint64_t kHoleSegmentBytes = 1000;

void append_some(TestLog& log, int count) {
    for (int i = 0; i < count; ++i) {
        must(log.append_only({record(std::string(100, 'x'), "key-" + std::to_string(i % 5))}));
        must(log->commit());
    }
}

/// Base offset and end of a segment in the middle.
struct Lost {
    std::int64_t base;
    std::int64_t next;
};
Lost middle_of(TestLog& log) {
    const auto segments = log->segments().closed();
    const auto& segment = segments[segments.size() / 2];
    return {segment->base_offset().value(), segment->next_base()->value()};
}

/// Of a log at rest: the base offsets of its segments.
std::vector<std::int64_t> bases_of(const TestLog& log) {
    std::vector<std::int64_t> bases;
    for (const auto& name : must(PosixFileSystem().list(log.directory()))) {
        if (const auto base = parse_segment_file_name(name, kLogSuffix)) bases.push_back(base->value());
    }
    return bases;
}
std::int64_t middle_of_files(const TestLog& log) {
    const auto bases = bases_of(log);
    return bases[bases.size() / 2];
}
std::int64_t base_before(const TestLog& log, std::int64_t base) {
    const auto bases = bases_of(log);
    return *std::prev(std::find(bases.begin(), bases.end(), base));
}

std::vector<Gap> repair(const TestLog& log) {
    PosixFileSystem files;
    std::vector<Gap> gaps;
    must(repair_log(files, log.directory(), "s", [&](const Gap& gap) { gaps.push_back(gap); }));
    return gaps;
}

void check_gap(const std::vector<Gap>& gaps, const Lost& lost) {
    REQUIRE(gaps.size() == 1);
    CHECK(gaps[0].first.value() == lost.base);
    CHECK(gaps[0].next.value() == lost.next);
    CHECK(gaps[0].count == lost.next - lost.base);
}

}  // namespace

TEST_CASE("log: an empty file that has the name of a segment hides nothing of the one that holds its offset") {
    TestLog log(small_segments(kHoleSegmentBytes));
    std::vector<std::string> values;
    for (int i = 0; i < 30; i += 3) {
        values.insert(values.end(), 3, "value-" + std::to_string(i));
        log.append_batch({values.end() - 3, values.end()});
    }
    log.kill();
    write_bytes(log.segment(4), "");
    SUBCASE("when the agent starts") {}
    SUBCASE("when it is repaired") {
        CHECK(repair(log).empty());
        CHECK(count_faults(log) == 0);
    }
    log.open();
    CHECK(log.values() == values);
    CHECK(log.gaps.empty());
    CHECK_FALSE(std::filesystem::exists(log.segment(4)));
}

TEST_CASE("hole: a segment that is gone, or empty, is a fault, and a gap for whoever reads or repairs") {
    TestLog log(small_segments(kHoleSegmentBytes));
    append_some(log, 60);
    const auto lost = middle_of(log);
    must(log->close());
    log.kill();
    CHECK(count_faults(log) == 0);
    SUBCASE("gone") {
        std::filesystem::remove(log.segment(lost.base));
        for (const auto suffix : {kIndexSuffix, kTimeIndexSuffix})
            std::filesystem::remove(log.segment(lost.base, suffix));
    }
    SUBCASE("empty") {
        std::filesystem::resize_file(log.segment(lost.base), 0);
    }
    CHECK(count_faults(log) > 0);
    log.open();
    CHECK(static_cast<std::int64_t>(log.values().size()) == 60 - (lost.next - lost.base));
    CHECK(static_cast<std::int64_t>(log.values().size()) == 60 - (lost.next - lost.base));
    check_gap(log.gaps, lost);
    log.kill();
    check_gap(repair(log), lost);
    CHECK(count_faults(log) == 0);
    CHECK(repair(log).empty());
    // Who repairs may not be who watches the agent: it reports the loss once more.
    log.gaps.clear();
    log.open();
    CHECK(static_cast<std::int64_t>(log.values().size()) == 60 - (lost.next - lost.base));
    check_gap(log.gaps, lost);
    log.gaps.clear();
    log.open();
    CHECK(log.gaps.empty());
}

TEST_CASE("hole: a segment that is cut between two batches is one at its end") {
    TestLog log(small_segments(kHoleSegmentBytes));
    append_some(log, 60);
    auto lost = middle_of(log);
    must(log->close());
    log.kill();
    const auto path = log.segment(lost.base);
    const auto batches = static_cast<std::uint64_t>(lost.next - lost.base);
    std::filesystem::resize_file(path, std::filesystem::file_size(path) / batches * (batches - 1));
    CHECK(count_faults(log) > 0);
    log.open();
    CHECK(log.values().size() == 59);
    lost.base = lost.next - 1;
    check_gap(log.gaps, lost);
}

TEST_CASE("hole: the log start may be anywhere") {
    TestLog log(small_segments(kHoleSegmentBytes));
    append_some(log, 60);
    must(log->close());
    log.kill();
    std::filesystem::remove(log.segment(0));
    CHECK(count_faults(log) == 0);
    log.open();
    CHECK(log.values().size() > 40);
    CHECK(log.gaps.empty());
}

TEST_CASE("hole: what compaction leaves out is none, and a compacted segment that is gone is one") {
    auto options = small_segments(kHoleSegmentBytes);
    options.cleanup = Cleanup::compact;
    TestLog log(options);
    append_some(log, 20);
    for (int i = 0; i < 60; ++i) must(log.append_only({record(std::string(100, 'y'), "once-" + std::to_string(i))}));
    must(log->commit());
    append_some(log, 20);
    PosixFileSystem files;
    REQUIRE(must(compact(files, *log, log.clock, {.whatever_the_ratio = true}, kNeverGiveUp)).records_left_out > 10);
    const auto kept = log.values().size();
    CHECK(log.gaps.empty());
    CHECK(count_faults(log) == 0);
    const auto lost = middle_of(log);
    must(log->close());
    log.kill();
    std::filesystem::remove(log.segment(lost.base));
    CHECK(count_faults(log) == 1);
    log.open();
    CHECK(log.values().size() < kept);
    check_gap(log.gaps, lost);
}

TEST_CASE("hole: compaction says so before it covers one") {
    auto options = small_segments(kHoleSegmentBytes);
    options.cleanup = Cleanup::compact;
    TestLog log(options);
    append_some(log, 60);
    const auto lost = middle_of(log);
    must(log->close());
    log.kill();
    std::filesystem::remove(log.segment(lost.base));
    log.open();
    PosixFileSystem files;
    must(compact(files, *log, log.clock, {.whatever_the_ratio = true}, kNeverGiveUp));
    check_gap(log.gaps, lost);
}

TEST_CASE("hole: what was forwarded from memory and never written is none") {
    auto options = small_segments(kHoleSegmentBytes);
    options.durability = Durability::memory;
    options.memory_bytes_max = 500;
    TestLog log(options);
    log.finished_of = [](const LogId&) { return std::optional(Finished{Offset(0), Offset(0)}); };
    log.kill();
    log.open();
    for (int i = 0; i < 40; ++i) {
        log.append(std::string(100, 'x'));
        if (i % 7 < 4) log->set_finished(log->log_end_offset());
    }
    SUBCASE("while it runs") {
        must(log->roll());
    }
    SUBCASE("after a clean stop") {
        must(log->close());
        log.kill();
        log.open();
    }
    SUBCASE("after a kill, which is told once") {
        log.kill();
        log.open();
        CHECK(log.gaps.size() == 1);
        log.gaps.clear();
        log.kill();
        log.open();
    }
    CHECK_FALSE(log.values().empty());
    CHECK(log.gaps.empty());
    CHECK(count_faults(log) == 0);
}

TEST_CASE("hole: damaged bytes that were set aside, at the end of a segment too, are told once") {
    TestLog log(small_segments(kHoleSegmentBytes));
    append_some(log, 60);
    const auto lost = middle_of(log);
    must(log->close());
    log.kill();
    auto bytes = read_bytes(log.segment(lost.base));
    bytes.back() = static_cast<char>(bytes.back() ^ 1);
    write_bytes(log.segment(lost.base), bytes);
    SUBCASE("by a repair, and by the agent in its events") {
        check_gap(repair(log), {lost.next - 1, lost.next});
        log.open();
        check_gap(log.gaps, {lost.next - 1, lost.next});
    }
    SUBCASE("by the cleaner") {
        log.open();
        PosixFileSystem files;
        must(quarantine_damage(files, *log, kNeverGiveUp));
        check_gap(log.gaps, {lost.next - 1, lost.next});
    }
    log.gaps.clear();
    log.kill();
    CHECK(count_faults(log) == 0);
    log.open();
    CHECK(log.values().size() == 59);
    CHECK(log.gaps.empty());
}

TEST_CASE("hole: those that an older version left mean nothing, and later ones do") {
    TestLog log(small_segments(kHoleSegmentBytes));
    append_some(log, 60);
    const auto old = middle_of(log);
    must(log->close());
    log.kill();
    std::filesystem::remove(log.segment(old.base));
    std::filesystem::remove(log.directory() + "/gapless-from");
    const auto id = read_bytes(log.directory() + "/log-id");
    write_bytes(log.directory() + "/log-id", id.substr(0, id.find('\n') + 1));  // nor did it mark its batches
    CHECK(count_faults(log) == 0);
    CHECK(repair(log).empty());
    log.open();
    append_some(log, 60);
    CHECK(log.values().size() > 100);
    CHECK(log.gaps.empty());
    const auto segments = log->segments().closed();
    const Lost lost{segments[segments.size() - 2]->base_offset().value(), segments.back()->base_offset().value()};
    must(log->close());
    log.kill();
    std::filesystem::remove(log.segment(lost.base));
    CHECK(count_faults(log) == 1);
    log.open();
    CHECK_FALSE(log.values().empty());
    check_gap(log.gaps, lost);
}

TEST_CASE("hole: one is seen where the note of them is missing or damaged too") {
    TestLog log(small_segments(kHoleSegmentBytes));
    append_some(log, 60);
    const auto lost = middle_of(log);
    must(log->close());
    log.kill();
    std::filesystem::remove(log.segment(lost.base));
    const auto note = log.directory() + "/gapless-from";
    SUBCASE("missing") {
        std::filesystem::remove(note);
        CHECK(count_faults(log) == 1);
    }
    SUBCASE("damaged") {
        write_bytes(note, "7" + read_bytes(note));
        CHECK(count_faults(log) == 2);
    }
    SUBCASE("damaged, and the log is repaired") {
        write_bytes(note, "7" + read_bytes(note));
        CHECK(repair(log).size() == 1);
        CHECK(count_faults(log) == 0);
        return;
    }
    log.open();
    CHECK_FALSE(log.values().empty());
    check_gap(log.gaps, lost);
}

TEST_CASE("hole: an emptied last segment on a disk without room for a block or a file makes appends wait") {
    SimFileSystem files(1);
    TestLog log({}, &files);
    for (int i = 0; i < 5; ++i) log.append("x");
    must(log->close());
    log.kill();
    must(must(files.open(log.segment(0), OpenMode::read_write))->truncate(0));
    files.set_capacity(0);
    must(log.try_open());
    CHECK(log->log_end_offset() == Offset(5));
    const auto refused = log.append_only({record("y")});
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().kind() == Errc::no_space);
    files.set_capacity(1U << 20U);
    CHECK(must(log.append_only({record("y")})) == Offset(5));
    must(log->commit());
    CHECK(log.values() == std::vector<std::string>{"y"});
}

TEST_CASE("hole: one that no single segment reaches over is covered by a repair too") {
    TestLog log(small_segments(kHoleSegmentBytes));
    append_some(log, 30);
    must(log->close());
    log.kill();
    constexpr std::int64_t kFar = (std::int64_t{1} << 33U) + 7;
    PosixFileSystem files;
    auto marks = must(load_batch_marks(files, log.directory()));
    const auto last = middle_of_files(log);
    for (const auto suffix : {kLogSuffix, kIndexSuffix, kTimeIndexSuffix, kKeyIndexSuffix}) {
        if (std::filesystem::exists(log.segment(last, suffix))) std::filesystem::remove(log.segment(last, suffix));
    }
    // A segment far away, as a flipped bit in a name would leave it.
    const auto batch = empty_batch(Offset(kFar), Offset(kFar + 1), marks);
    write_bytes(log.segment(kFar), {reinterpret_cast<const char*>(batch.bytes.data()), batch.bytes.size()});
    CHECK(count_faults(log) > 0);
    CHECK_FALSE(repair(log).empty());
    CHECK(count_faults(log) == 0);
    CHECK(repair(log).empty());
    log.open();
    CHECK(log->log_end_offset() == Offset(kFar + 1));
    CHECK_FALSE(log.values().empty());
}

TEST_CASE("hole: where segments overlap, a repair keeps what readers take: each offset from the one it belongs to") {
    TestLog log(small_segments(kHoleSegmentBytes));
    append_some(log, 60);
    const auto lost = middle_of(log);
    must(log->close());
    log.kill();
    const auto values = 60;
    // The segment before goes on with what the next one has too, and with more.
    const auto previous = base_before(log, lost.base);
    auto text = read_bytes(log.segment(previous)) + read_bytes(log.segment(lost.base));
    SUBCASE("by whole batches") {}
    SUBCASE("by a batch that begins before it") {
        const auto one = text.size() / static_cast<std::size_t>(lost.next - previous);
        std::filesystem::rename(log.segment(lost.base), log.segment(lost.base - 1));
        write_bytes(log.segment(lost.base - 1),
                    text.substr((static_cast<std::size_t>(lost.base - previous) - 1) * one));
    }
    write_bytes(log.segment(previous), text);
    for (const auto suffix : {kIndexSuffix, kTimeIndexSuffix}) std::filesystem::remove(log.segment(previous, suffix));
    CHECK(count_faults(log) > 0);
    CHECK(repair(log).empty());  // nothing is lost
    CHECK(count_faults(log) == 0);
    log.open();
    CHECK(log.values().size() == values);
    CHECK(log.gaps.empty());
}
