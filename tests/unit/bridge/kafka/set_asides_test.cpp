#include "bridge/kafka/set_asides.hpp"

#include "tests/support/log_builder.hpp"

#include <doctest/doctest.h>

#include <mutex>
#include <thread>

using namespace std::chrono_literals;
using namespace sluice;
using bridge::kafka::SetAsides;
using storage::Offset;
using test::must;
using TimePoint = SetAsides::TimePoint;

namespace {

/// The streams "s" and "dead" on a disk of `quota` bytes.
struct Rig {
    explicit Rig(std::uint64_t quota = storage::DiskBudget::kUnlimited)
        : logs(must(storage::LogDir::open(
              files, clock, dir / "data", [this](const storage::Gap& gap) { gaps.push_back(gap); }, quota))) {
        storage::LogOptions options;
        options.compression = storage::Compression::none;
        options.segment_bytes = 100'000;
        stream = must(logs->open_stream("s", options));
        dead_letters = must(logs->open_stream("dead", options));
        asides = std::make_unique<SetAsides>(
            *logs, commit, "dead", [](auto&&...) {}, [] {});
    }
    ~Rig() { commit.stop(); }
    Rig(const Rig&) = delete;
    Rig& operator=(const Rig&) = delete;

    Offset append(std::size_t bytes, storage::Timestamp timestamp = {}) {
        auto record = test::record(std::string(bytes, 'x'), "key");
        record.timestamp = timestamp;
        return must(commit.append(*stream, record).get());
    }
    /// Serves until `count` more are finished, or patience ends.
    std::vector<std::int64_t> finish(std::size_t count) {
        std::vector<std::int64_t> offsets;
        for (int i = 0; i < 500 && offsets.size() < count; ++i) {
            for (const auto& [number, offset] : asides->serve(TimePoint())) offsets.push_back(offset.value());
            std::this_thread::sleep_for(5ms);
        }
        return offsets;
    }

    test::TempDir dir;
    storage::PosixFileSystem files;
    storage::SystemClock clock;
    std::vector<storage::Gap> gaps;
    std::unique_ptr<storage::LogDir> logs;
    storage::Log* stream = nullptr;
    storage::Log* dead_letters = nullptr;
    storage::GroupCommit commit{{.retry_interval = 10ms}, {}};
    std::unique_ptr<SetAsides> asides;
};

}  // namespace

TEST_CASE("set asides: a record is finished when its dead letter is kept; one from the future has a time of today") {
    Rig rig;
    const auto future = rig.clock.now() + 2h;
    const auto offset = rig.append(10, future);
    rig.asides->add(0, *rig.stream, offset, "why", TimePoint());
    CHECK(rig.finish(1) == std::vector<std::int64_t>{0});
    storage::LogReader reader(*rig.dead_letters, Offset(0));
    const auto batch = must(reader.next());
    REQUIRE(batch);
    const auto& letter = batch->records().front();
    CHECK(letter.key == "key");
    CHECK(letter.timestamp <= rig.clock.now());
    CHECK(find_header(letter, "sluice.timestamp") == std::to_string(future.time_since_epoch().count()));
    CHECK(find_header(letter, "sluice.detail") == "why");
    CHECK(rig.gaps.empty());
}

TEST_CASE("set asides: a dead letter that is too large for a record is told as a gap, and finished") {
    Rig rig;
    const auto offset = rig.append(storage::kRecordBytesMax - 60);
    rig.asides->add(0, *rig.stream, offset, "why", TimePoint());
    CHECK(rig.finish(1) == std::vector<std::int64_t>{0});
    REQUIRE(rig.gaps.size() == 1);
    CHECK(rig.gaps[0].stream == "s");
    CHECK(rig.gaps[0].first == Offset(0));
    CHECK(rig.gaps[0].next == Offset(1));
    CHECK(rig.gaps[0].reason.find("can be kept: why") != std::string::npos);
}

TEST_CASE("set asides: a dead letter that is refused too is told, and finished") {
    Rig rig;
    rig.asides->add(1, *rig.dead_letters, Offset(7), "why", TimePoint());
    CHECK(rig.finish(1) == std::vector<std::int64_t>{7});
    REQUIRE(rig.gaps.size() == 1);
    CHECK(rig.gaps[0].stream == "dead");
    CHECK(rig.gaps[0].first == Offset(7));
}

TEST_CASE("set asides: where nothing makes room, the first segment is let go and told, and the rest waits") {
    Rig rig(500'000);
    for (int i = 0; i < 5; ++i) rig.append(90'000);  // one segment each
    for (int i = 0; i < 5; ++i) rig.asides->add(0, *rig.stream, Offset(i), "why", TimePoint());
    CHECK(rig.asides->serve(TimePoint()).empty());
    for (int i = 0; i < 500 && !rig.commit.waits_for_space(*rig.dead_letters); ++i) std::this_thread::sleep_for(5ms);
    REQUIRE(rig.commit.waits_for_space(*rig.dead_letters));
    CHECK(rig.asides->serve(TimePoint() + 9s).empty());
    const auto given_up = rig.asides->serve(TimePoint() + 11s);
    REQUIRE(given_up.size() == 1);
    CHECK(given_up[0].offset == Offset(0));
    REQUIRE(rig.gaps.size() == 1);
    CHECK(rig.gaps[0].next == Offset(1));
    CHECK(rig.gaps[0].count == 1);
    CHECK(rig.gaps[0].reason.find("no space for dead letters") != std::string::npos);
    CHECK(rig.asides->serve(TimePoint() + 12s).empty());  // patience begins anew
}

TEST_CASE("set asides: many refused records block nobody, whatever the queue holds") {
    Rig rig(10'000);
    for (int i = 0; i < 3; ++i) rig.append(1000);
    for (int i = 0; i < 20'000; ++i) rig.asides->add(0, *rig.stream, Offset(i % 3), "why", TimePoint());
    CHECK(rig.asides->full());
    const auto start = std::chrono::steady_clock::now();
    static_cast<void>(rig.asides->serve(TimePoint()));
    CHECK(std::chrono::steady_clock::now() - start < 5s);
}
