// A batch with the right checksum whose records can't be read: what all parts of the log do about it.
#include "storage/compaction.hpp"
#include "storage/quarantine.hpp"
#include "storage/verify.hpp"
#include "tests/support/log_builder.hpp"
#include "tests/support/shared_file_system.hpp"

#include <doctest/doctest.h>

#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

using namespace sluice::storage;
using namespace sluice::test;

namespace {

LogOptions options() {
    LogOptions options;
    options.segment_bytes = 1000;
    options.compression = Compression::none;
    options.cleanup = Cleanup::compact;
    options.hold_until_forwarded = false;
    options.tail_cache_bytes = 0;
    return options;
}

/// Makes the first record of the batch at `at` one of length 0, and its checksum right.
void make_malformed(const std::string& path, std::size_t at) {
    auto bytes = read_bytes(path);
    std::vector<std::byte> batch(bytes.size() - at);
    std::memcpy(batch.data(), bytes.data() + at, batch.size());
    batch.resize(must(decode_batch_header(batch)).size_bytes);
    batch[kBatchHeaderBytes] = std::byte{0};
    seal_batch(batch);
    std::memcpy(bytes.data() + at, batch.data(), batch.size());
    write_bytes(path, bytes);
}

std::string value(int i) {
    return "value-" + std::to_string(i) + std::string(100, 'x');
}

/// Segments of several records each, all with one key.
struct Damaged {
    Damaged() : log(options()) {
        for (int i = 0; i < kRecords; ++i) log.append(value(i));
        must(log->close());
        const auto closed = log->segments().closed();
        first_of_second = closed[1]->base_offset().value();
        last_of_first = first_of_second - 1;
        batch_bytes = read_bytes(log.segment(0)).size() / static_cast<std::size_t>(first_of_second);
        log.kill();
    }
    static constexpr int kRecords = 20;
    TestLog log;
    std::int64_t first_of_second = 0;
    std::int64_t last_of_first = 0;
    std::size_t batch_bytes = 0;
    PosixFileSystem files;
};

}  // namespace

TEST_CASE("malformed batch: one fault for verify, which repair sets aside, as a gap") {
    Damaged damaged;
    auto& log = damaged.log;
    bool last = false;
    SUBCASE("the first of its segment") {}
    SUBCASE("the last") {
        last = true;
    }
    const auto offset = last ? damaged.last_of_first : 0;
    make_malformed(log.segment(0), static_cast<std::size_t>(offset) * damaged.batch_bytes);
    CHECK(count_faults(log) == 1);
    std::vector<Gap> gaps;
    must(repair_log(damaged.files, log.directory(), "s", [&](const Gap& gap) { gaps.push_back(gap); }));
    CHECK(count_faults(log) == 0);
    REQUIRE(gaps.size() == 1);
    CHECK(gaps[0].first == Offset(offset));
    CHECK(gaps[0].next == Offset(offset + 1));
}

TEST_CASE("malformed batch: compaction goes on after it was set aside") {
    Damaged damaged;
    auto& log = damaged.log;
    bool last = false;
    SUBCASE("the first of its segment") {}
    SUBCASE("the last") {
        last = true;
    }
    const auto offset = last ? damaged.last_of_first : 0;
    make_malformed(log.segment(0), static_cast<std::size_t>(offset) * damaged.batch_bytes);
    log.open();
    const auto pass = [&] {
        return compact(damaged.files, *log, log.clock, {.whatever_the_ratio = true}, kNeverGiveUp);
    };
    CHECK(pass().error().kind() == Errc::corrupt);
    CHECK(must(quarantine_damage(damaged.files, *log, kNeverGiveUp)));
    REQUIRE(log.gaps.size() == 1);
    CHECK(log.gaps[0].first == Offset(offset));
    CHECK(log.gaps[0].next == Offset(offset + 1));
    CHECK(must(pass()).records_left_out > 0);
    CHECK_FALSE(must(quarantine_damage(damaged.files, *log, kNeverGiveUp)));
}

TEST_CASE("malformed batch: recovery sets it aside, and gives its offsets to no other record") {
    Damaged damaged;
    auto& log = damaged.log;
    log.options.segment_bytes = 1U << 20U;
    log.open();
    must(log->roll());
    const auto base = log->log_end_offset().value();
    for (int i = 0; i < 3; ++i) log.append(value(i));
    log.kill();
    int which = 1;
    SUBCASE("in the middle") {}
    SUBCASE("at the end") {
        which = 2;
    }
    make_malformed(log.segment(base), static_cast<std::size_t>(which) * damaged.batch_bytes);
    log.open();
    CHECK(log->log_end_offset() == Offset(base + 3));
    REQUIRE(log.gaps.size() == 1);
    CHECK(log.gaps[0].first == Offset(base + which));
    CHECK(log.gaps[0].next == Offset(base + which + 1));
    log.append("after");
    CHECK(log.values(base).size() == 3);
}

TEST_CASE("verify: what a running agent writes meanwhile is no fault") {
    TestLog log(options());
    for (int i = 0; i < 3; ++i) log.append(value(i));
    must(log->close());
    log.kill();
    const auto whole = read_bytes(log.segment(0));
    // Preallocated, and written up to the middle of the second batch.
    auto unfinished = whole.substr(0, whole.size() / 2);
    unfinished.resize(whole.size());
    SharedFileSystem files;
    for (int finished_at = 1; finished_at < 12; ++finished_at) {
        CAPTURE(finished_at);
        write_bytes(log.segment(0), unfinished);
        int reads = 0;
        files.after_read = [&] {
            if (++reads == finished_at) write_bytes(log.segment(0), whole);
        };
        std::filesystem::remove(log.directory() + "/recovery-point");
        CHECK(must(verify_log(files, log.directory(), {})).faults == 0);
    }
}
