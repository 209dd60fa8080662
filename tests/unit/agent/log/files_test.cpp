#include "agent/log/files.hpp"

#include "storage/log_dir.hpp"
#include "storage/recovery.hpp"
#include "storage/segment.hpp"
#include "tests/support/log_builder.hpp"
#include "tests/support/shared_file_system.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <string>
#include <vector>

using namespace sluice::agent;
using namespace sluice::storage;
using namespace sluice::test;

namespace {

/// The offsets that a walk from `from` gets.
std::vector<std::int64_t> walk(FileSystem& files, const StreamFiles& stream, std::int64_t from,
                               const std::function<void()>& meanwhile = {},
                               std::vector<std::int64_t>* holes = nullptr) {
    std::vector<std::int64_t> offsets;
    must(walk_batches(
        files, stream, Offset(from), {},
        [&](const BatchHeader& header, const std::vector<std::byte>&) {
            offsets.push_back(header.base_offset.value());
            if (meanwhile) meanwhile();
            return true;
        },
        [](const std::string& path, FilePosition, FilePosition) { FAIL("damage in " << path); },
        [&](Offset first, Offset next) {
            REQUIRE(holes != nullptr);
            for (auto offset = first; offset < next; offset = offset + 1) holes->push_back(offset.value());
        }));
    return offsets;
}

struct Fixture {
    Fixture() : log(small()) {
        for (int i = 0; i < 6; ++i) log.append("value-" + std::to_string(i));
        must(log->close());
        log.kill();
        stream.stream = "s";
        stream.directory = log.directory();
        stream.gapless_from = Offset(0);
        for (int i = 0; i < 6; ++i) stream.segments.emplace_back(i);
    }
    static LogOptions small() {
        LogOptions options;
        options.segment_bytes = 100;  // a record each
        options.compression = Compression::none;
        return options;
    }
    /// What the cleaner makes of the segments 1 to 3, up to where the old ones are gone.
    void merge() const {
        write_bytes(swap(), read_bytes(log.segment(1)) + read_bytes(log.segment(2)) + read_bytes(log.segment(3)));
        for (int i = 2; i < 4; ++i) std::filesystem::remove(log.segment(i));
    }
    [[nodiscard]] std::string swap() const { return log.directory() + "/" + swap_file_name(Offset(1), Offset(4)); }

    TestLog log;
    PosixFileSystem files;
    StreamFiles stream;
};

const std::vector<std::int64_t> kAll{0, 1, 2, 3, 4, 5};

}  // namespace

TEST_CASE("log files: a walk from any offset") {
    Fixture fixture;
    CHECK(walk(fixture.files, fixture.stream, 0) == kAll);
    CHECK(walk(fixture.files, fixture.stream, 3) == std::vector<std::int64_t>{3, 4, 5});
}

TEST_CASE("log files: a walk tells of segments that are missing, and not of the log start") {
    Fixture fixture;
    for (const int gone : {0, 3}) {
        std::filesystem::remove(fixture.log.segment(gone));
        std::erase(fixture.stream.segments, Offset(gone));
    }
    std::vector<std::int64_t> holes;
    CHECK(walk(fixture.files, fixture.stream, 0, {}, &holes) == std::vector<std::int64_t>{1, 2, 4, 5});
    CHECK(holes == std::vector<std::int64_t>{3});
    holes.clear();
    CHECK(walk(fixture.files, fixture.stream, 4, {}, &holes) == std::vector<std::int64_t>{4, 5});
    CHECK(holes.empty());
}

TEST_CASE("log files: a walk beside a running cleaner misses nothing and gives nothing twice") {
    for (int at = 1; at <= 6; ++at) {
        for (const bool finished : {false, true}) {
            CAPTURE(at);
            CAPTURE(finished);
            Fixture fixture;
            int batches = 0;
            CHECK(walk(fixture.files, fixture.stream, 0, [&] {
                      if (++batches != at) return;
                      fixture.merge();
                      if (finished) std::filesystem::rename(fixture.swap(), fixture.log.segment(1));
                  }) == kAll);
        }
    }
}

TEST_CASE("log files: what a killed cleaner left stands for the segments that it was made of") {
    Fixture fixture;
    fixture.merge();
    std::filesystem::create_directories(std::string(fixture.log.dir / "data/log"));
    std::filesystem::copy(fixture.log.directory(), std::string(fixture.log.dir / "data/log/s-0"));
    const auto streams = must(find_streams(fixture.files, fixture.log.dir / "data", "s"));
    REQUIRE(streams.size() == 1);
    CHECK(streams[0].segments.size() == 4);
    CHECK(walk(fixture.files, streams[0], 0) == kAll);
    CHECK(walk(fixture.files, streams[0], 2) == std::vector<std::int64_t>{2, 3, 4, 5});
}

TEST_CASE("log files: a search by time doesn't believe the index of a segment that a killed cleaner has replaced") {
    TestLog log(Fixture::small());
    for (int i = 0; i < 6; ++i) {
        auto each = record("value-" + std::to_string(i));
        each.timestamp = Timestamp(std::chrono::seconds(1'700'000'000 + i));
        must(log.append_only({each}));
        must(log->commit());
    }
    must(log->close());
    log.kill();
    write_bytes(log.directory() + "/" + swap_file_name(Offset(1), Offset(4)),
                read_bytes(log.segment(1)) + read_bytes(log.segment(2)) + read_bytes(log.segment(3)));
    std::filesystem::create_directories(std::string(log.dir / "data/log"));
    std::filesystem::rename(log.directory(), std::string(log.dir / "data/log/s-0"));
    PosixFileSystem files;
    const auto streams = must(find_streams(files, log.dir / "data", "s"));
    for (int i = 0; i < 6; ++i) {
        CAPTURE(i);
        const auto since = Timestamp(std::chrono::seconds(1'700'000'000 + i));
        CHECK(must(first_offset_since(files, streams[0], since)) <= Offset(i));
    }
}

TEST_CASE("log files: what a running agent writes while it is looked at is neither damage nor passed over") {
    Fixture fixture;
    const auto first = read_bytes(fixture.log.segment(0));
    const auto second = read_bytes(fixture.log.segment(1));
    const auto whole = first + second + read_bytes(fixture.log.segment(2));
    for (int i = 1; i < 6; ++i) std::filesystem::remove(fixture.log.segment(i));
    fixture.stream.segments = {Offset(0)};
    // Preallocated, and written up to the middle of a batch.
    auto unfinished = whole.substr(0, first.size() + second.size() / 2);
    unfinished.resize(whole.size());
    SharedFileSystem files;
    for (int finished_at = 1; finished_at < 12; ++finished_at) {
        CAPTURE(finished_at);
        write_bytes(fixture.log.segment(0), unfinished);
        int reads = 0;
        files.after_read = [&] {
            if (++reads == finished_at) write_bytes(fixture.log.segment(0), whole);
        };
        const auto got = walk(files, fixture.stream, 0);
        CHECK((got == std::vector<std::int64_t>{0} || got == std::vector<std::int64_t>{0, 1, 2}));
    }
}
