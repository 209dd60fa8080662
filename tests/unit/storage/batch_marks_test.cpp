#include "storage/batch_marks.hpp"

#include "storage/log_id_file.hpp"
#include "storage/retention.hpp"
#include "storage/verify.hpp"
#include "tests/support/log_builder.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <string>
#include <vector>

using namespace sluice::storage;
using namespace sluice::test;
using Values = std::vector<std::string>;

namespace {

constexpr std::uint64_t kMarkedSegmentBytes = 2000;

/// A batch as an older version wrote it, or as a device can write one that has read this source.
std::string batch_at(std::int64_t base, const std::string& value) {
    BatchBuilder builder;
    builder.add(record(value));
    const auto bytes = must(builder.finish(Offset(base), Compression::none, BatchMarks())).bytes;
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// As other programs write it: the mark's fields are -1.
std::string without_mark(std::string batch) {
    batch.replace(51, 6, 6, '\xff');
    seal_batch(std::as_writable_bytes(std::span(batch)));
    return batch;
}

}  // namespace

TEST_CASE(
    "batch marks: a payload that is a batch is none, when its segment's file is used again and the agent killed") {
    TestLog log(small_segments(kMarkedSegmentBytes));
    PosixFileSystem files;
    auto forged = batch_at(500, "forged");
    SUBCASE("as older versions wrote them") {}
    SUBCASE("as other programs do") {
        forged = without_mark(forged);
    }
    for (int i = 0; i < 100; ++i) log.append(forged);
    log->set_finished(log->high_watermark());
    CHECK(must(delete_finished(files, *log)));
    must(log->roll());
    REQUIRE(std::filesystem::file_size(log.segment(100)) > 500);  // in the file of an old one
    log.append("real");
    log.kill();
    CHECK(count_faults(log) == 0);
    log.open();
    CHECK(log->log_end_offset() == Offset(101));
    CHECK(log.gaps.empty());
    CHECK(log.values(100) == Values{"real"});
}

TEST_CASE("batch marks: a payload that is a batch is none where the one that holds it is damaged") {
    TestLog log(small_segments(kMarkedSegmentBytes));
    log.append("before" + batch_at(0, "forged"));
    log.append("after");
    must(log->roll());
    auto bytes = read_bytes(log.segment(0));
    bytes[bytes.find("before")] = 'B';
    write_bytes(log.segment(0), bytes);
    CHECK(log.values() == Values{"after"});
    REQUIRE(log.gaps.size() == 1);
    CHECK(log.gaps[0].next == Offset(1));
}

TEST_CASE("batch marks: a flipped bit in a base offset is damage") {
    TestLog log(small_segments(kMarkedSegmentBytes));
    for (const auto* value : {"a", "b", "c"}) log.append(value);
    must(log->roll());
    auto bytes = read_bytes(log.segment(0));
    bytes[7] = 1;  // the first batch's
    write_bytes(log.segment(0), bytes);
    CHECK(log.values() == Values{"b", "c"});
    CHECK(count_faults(log) == 1);
}

TEST_CASE("batch marks: a log of an older version or of another program opens, and what is appended is marked") {
    TestLog log(small_segments(kMarkedSegmentBytes));
    log.append("x");
    log.kill();
    auto batches = batch_at(0, "a") + batch_at(1, "b");
    SUBCASE("older") {
        PosixFileSystem files;
        write_bytes(log.directory() + "/log-id", must(load_log_id(files, log.directory())).to_string() + "\n");
        std::filesystem::remove(log.directory() + "/recovery-point");
    }
    SUBCASE("another program's") {
        batches = without_mark(batch_at(0, "a")) + without_mark(batch_at(1, "b"));
        for (const auto* name : {"/log-id", "/recovery-point"}) std::filesystem::remove(log.directory() + name);
    }
    write_bytes(log.segment(0), batches);
    CHECK(must(verify_log(*std::make_unique<PosixFileSystem>(), log.directory(), {})).batches == 2);
    log.open();
    CHECK(log.values() == Values{"a", "b"});
    log.append("c");
    log.kill();
    write_bytes(log.segment(0), read_bytes(log.segment(0)) + batch_at(3, "forged"));
    CHECK(count_faults(log) == 0);
    log.open();
    CHECK(log->marks().from() == Offset(2));
    CHECK(log.values() == Values{"a", "b", "c"});
}

TEST_CASE("batch marks: where the log id is lost, what has its marks is kept") {
    TestLog log(small_segments(kMarkedSegmentBytes));
    for (const auto* value : {"a", "b"}) log.append(value);
    const auto id = log->id();
    log.kill();
    for (const auto* name : {"/log-id", "/recovery-point"}) std::filesystem::remove(log.directory() + name);
    PosixFileSystem files;
    SUBCASE("at a start") {}
    SUBCASE("by a repair") {
        must(repair_log(files, log.directory(), "s", [](const Gap& gap) { CHECK(gap.first == gap.next); }));
    }
    log.open();
    CHECK_FALSE(log->id() == id);
    log.append("c");
    CHECK(log.values() == Values{"a", "b", "c"});
    must(log->close());
    log.kill();
    // The copy knows of it too.
    std::filesystem::remove(log.directory() + "/log-id");
    log.open();
    CHECK(log.values() == Values{"a", "b", "c"});
    CHECK(count_faults(log) == 0);
}

TEST_CASE("batch marks: after a power cut that took the end back, they begin no later than what is appended") {
    auto options = small_segments(kMarkedSegmentBytes);
    options.durability = Durability::flush;
    TestLog log(options);
    log.append("x");
    log.kill();
    PosixFileSystem files;
    auto marks = must(load_batch_marks(files, log.directory()));
    marks.set_from(Offset(100));
    must(store_log_id(files, log.directory(), marks));
    log.open();
    CHECK(log->marks().from() == Offset(1));
    CHECK(must(load_batch_marks(files, log.directory())).from() == Offset(1));
}

TEST_CASE("batch marks: what is not quite the text of a log id is none") {
    const BatchMarks marks(LogId::random());
    const auto text = marks.to_string();
    CHECK(BatchMarks::parse(text)->to_string() == text);
    const auto lost = BatchMarks::after_lost_id(marks.id()).to_string();
    CHECK(BatchMarks::parse(lost)->to_string() == lost);
    for (const auto* after : {"marks-from\n", "marks-from x\n", "marks-from -1\n", "marks-from 0", "marks-from 0 any\n",
                              "marks-from 99999999999999999\n", "else\n"}) {
        CAPTURE(after);
        CHECK_FALSE(BatchMarks::parse(marks.id().to_string() + "\n" + after));
    }
}
