#include "storage/quota.hpp"

#include "storage/group_commit.hpp"
#include "storage/log_dir.hpp"
#include "storage/recovery.hpp"
#include "storage/retention.hpp"
#include "tests/support/fault_file_system.hpp"
#include "tests/support/log_builder.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

using namespace sluice::storage;
using namespace sluice::test;
using namespace std::chrono_literals;

namespace {

LogOptions small(OnFull on_full, int priority = 0) {
    LogOptions options;
    options.segment_bytes = 2000;
    options.compression = Compression::none;
    options.tail_cache_bytes = 0;
    options.durability = Durability::flush;
    options.on_full = on_full;
    options.priority = priority;
    return options;
}

/// Streams in one data directory, filled until its quota is used up.
struct Gateway {
    explicit Gateway(std::uint64_t quota_bytes) : Gateway(quota_bytes, real) {}
    /// … and starts again, its streams not yet open.
    void kill() {
        const auto limit = logs->budget().limit_bytes();
        logs.reset();
        logs = must(LogDir::open(
            files, clock, dir / "data", [this](const Gap& gap) { gaps.push_back(gap); }, limit));
    }
    Gateway(std::uint64_t quota_bytes, FileSystem& file_system)
        : files(file_system),
          logs(must(LogDir::open(
              files, clock, dir / "data", [this](const Gap& gap) { gaps.push_back(gap); }, quota_bytes))) {}

    Log* stream(const std::string& name, const LogOptions& options) {
        return must(logs->open_stream(name, options, [](const LogId&) { return std::optional(Finished{}); }));
    }
    /// @return false where there was no space
    bool append(Log& log, const std::string& key, int bytes = 100) {
        BatchBuilder batch;
        auto one = record(std::string(static_cast<std::size_t>(bytes), 'v'), key);
        one.timestamp = clock.now();
        batch.add(one);
        const auto done = log.append(batch);
        if (!done && done.error().kind() == Errc::no_space) return false;
        must(done);
        must(log.commit());
        clock.advance(1s);
        return true;
    }
    void fill(Log& log) {
        while (append(log, "key-" + std::to_string(log.log_end_offset().value() % 4))) {
        }
    }
    Quota::Room make_room(const Log& wanting) { return must(quota.make_room(logs->streams(), wanting, kNeverGiveUp)); }
    [[nodiscard]] std::int64_t count(const Log& log) const {
        std::int64_t found = 0;
        LogReader reader(log, Offset(0));
        while (auto batch = must(reader.next())) found += static_cast<std::int64_t>(batch->records().size());
        return found;
    }

    TempDir dir;
    TestClock clock;
    PosixFileSystem real;
    FileSystem& files;
    std::vector<Gap> gaps;
    std::unique_ptr<LogDir> logs;
    Quota quota{files, clock, [](Log& log) { must(log.roll()); }, dir / "data/log/reserve"};
};

/// A disk that is full to the last byte, but for what the reserve holds.
class FullFileSystem : public FaultFileSystem {
 public:
    explicit FullFileSystem(Faults& faults) : FaultFileSystem(faults) {}
    std::string reserve;
    bool full = false;

    Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
        const bool copy = path.ends_with(kCleanedSuffix) && mode == OpenMode::create;
        if (full && copy && std::filesystem::exists(reserve)) return Error(Errc::no_space, path);
        return FaultFileSystem::open(path, mode);
    }
};

}  // namespace

TEST_CASE("quota: on a disk that is full to the last byte, the reserve has room for what is left") {
    Faults none;
    FullFileSystem files(none);
    Gateway gateway(400'000, files);
    auto* log = gateway.stream("a", small(OnFull::compact));
    gateway.fill(*log);
    gateway.quota.keep_reserve(gateway.logs->streams());
    files.reserve = gateway.dir / "data/log/reserve";
    files.full = true;
    CHECK(gateway.make_room(*log) == Quota::Room::made);
    CHECK(gateway.count(*log) < 100);
    gateway.quota.keep_reserve(gateway.logs->streams());
    CHECK(std::filesystem::file_size(files.reserve) == DiskReserve::kBytes);
}

TEST_CASE("quota: what was forwarded goes first, and nothing is lost") {
    Gateway gateway(400'000);
    auto* log = gateway.stream("a", small(OnFull::drop_oldest));
    gateway.fill(*log);
    const auto end = log->log_end_offset();
    log->set_finished(end + -5);
    CHECK(gateway.make_room(*log) == Quota::Room::made);
    CHECK(gateway.append(*log, "k"));
    CHECK(log->log_start_offset() > Offset(0));
    CHECK(gateway.gaps.empty());
}

TEST_CASE("quota: block gives up nothing; acknowledgements have to wait") {
    Gateway gateway(400'000);
    auto* log = gateway.stream("a", small(OnFull::block));
    gateway.fill(*log);
    const auto kept = gateway.count(*log);
    CHECK(gateway.make_room(*log) == Quota::Room::none);
    CHECK(gateway.count(*log) == kept);
    CHECK(gateway.gaps.empty());
}

TEST_CASE("quota: drop_oldest gives up one segment at a time, and reports each") {
    Gateway gateway(400'000);
    auto* log = gateway.stream("a", small(OnFull::drop_oldest));
    gateway.fill(*log);
    const auto kept = gateway.count(*log);
    CHECK(gateway.make_room(*log) == Quota::Room::made);
    CHECK(gateway.append(*log, "k"));
    REQUIRE(gateway.gaps.size() == 1);
    CHECK(gateway.gaps[0].first == Offset(0));
    CHECK(gateway.gaps[0].next == log->log_start_offset());
    CHECK(gateway.gaps[0].count == kept + 1 - gateway.count(*log));
}

TEST_CASE("quota: a stream of lower priority gives way, one of higher priority does not") {
    Gateway gateway(400'000);
    auto* noise = gateway.stream("noise", small(OnFull::drop_oldest, -1));
    auto* alarms = gateway.stream("alarms", small(OnFull::drop_oldest, 1));
    for (int i = 0; i < 200; ++i) REQUIRE(gateway.append(*alarms, "k"));
    gateway.fill(*noise);
    CHECK(gateway.make_room(*alarms) == Quota::Room::made);
    CHECK(noise->log_start_offset() > Offset(0));
    CHECK(alarms->log_start_offset() == Offset(0));
    while (gateway.make_room(*noise) == Quota::Room::made && !noise->segments().closed().empty()) {
    }
    CHECK(alarms->log_start_offset() == Offset(0));
}

TEST_CASE("quota: compact keeps the latest record of each key, and then waits") {
    Gateway gateway(400'000);
    auto* log = gateway.stream("a", small(OnFull::compact));
    gateway.fill(*log);
    CHECK(gateway.make_room(*log) == Quota::Room::made);
    CHECK(gateway.append(*log, "k"));
    CHECK(log->size_bytes() < 20'000);  // some 200 segments with an empty batch each
    CHECK(log->log_start_offset() == Offset(0));
    std::int64_t reported = 0;
    for (const auto& gap : gateway.gaps) reported += gap.count.value_or(0);
    CHECK(reported + gateway.count(*log) == log->log_end_offset().value());
}

TEST_CASE("quota: thin leaves a curve of each key: one record for each interval, then for twice the interval") {
    Gateway gateway(400'000);
    auto options = small(OnFull::thin);
    options.thin_interval = 10s;
    auto* log = gateway.stream("a", options);
    for (int rounds = 0; rounds < 8000; ++rounds) {
        if (gateway.append(*log, "key-" + std::to_string(rounds % 4))) continue;
        const auto room = gateway.make_room(*log);
        REQUIRE(room != Quota::Room::none);
    }
    CHECK(log->log_start_offset() == Offset(0));
    std::map<std::string, std::vector<Timestamp>> curves;
    std::int64_t kept = 0;
    LogReader reader(*log, Offset(0));
    while (auto batch = must(reader.next())) {
        for (const auto& each : batch->records()) {
            curves[std::string(*each.key)].push_back(each.timestamp);
            ++kept;
        }
    }
    CHECK(curves.size() == 4);
    const auto length = gateway.clock.now() - curves["key-0"].front();
    for (const auto& [key, times] : curves) {
        for (std::size_t i = 1; i < times.size(); ++i) CHECK(times[i] - times[i - 1] < length / 8);
    }
    std::int64_t reported = 0;
    for (const auto& gap : gateway.gaps) reported += gap.count.value_or(0);
    CHECK(reported + kept == log->log_end_offset().value());
}

TEST_CASE("quota: what came after all was thinned to a day is thinned too, and not dropped whole") {
    Gateway gateway(24'000);
    auto options = small(OnFull::thin);
    options.thin_interval = 10s;
    auto* log = gateway.stream("a", options);
    // Each record a key of its own, so that nothing can be thinned: the oldest go.
    while (gateway.append(*log, "key-" + std::to_string(log->log_end_offset().value()))) {
    }
    must(log->roll());
    CHECK(gateway.make_room(*log) == Quota::Room::made);
    CHECK(gateway.gaps.back().reason.find("frees no more") != std::string::npos);
    CHECK(log->log_start_offset() > Offset(0));
    int dropped = 0;
    for (int i = 0; i < 200; ++i) {
        if (gateway.append(*log, "key")) continue;
        gateway.gaps.clear();
        REQUIRE(gateway.make_room(*log) != Quota::Room::none);
        for (const auto& gap : gateway.gaps) {
            if (gap.reason.find("thinned to one record for each key and") == std::string::npos) ++dropped;
        }
    }
    CHECK(dropped <= 4);  // until what comes fills segments of its own
}

TEST_CASE("quota: thinning leaves the notes alone that may still be needed, and drops nothing for them") {
    Gateway gateway(24'000);
    auto options = small(OnFull::thin);
    options.thin_interval = 10s;
    auto* log = gateway.stream("a", options);
    log->hold_from(Offset(0));
    int noted = 0;
    for (int i = 0; i < 200; ++i) {
        if (i % 20 == 0) {
            auto one = record("v", "key");
            one.timestamp = gateway.clock.now();
            one.headers.push_back({std::string(kInternalHeaderPrefix) + "note", "1"});
            BatchBuilder batch;
            batch.add(one);
            if (log->append(batch)) ++noted;
            must(log->commit());
        }
        if (gateway.append(*log, "key")) continue;
        REQUIRE(gateway.make_room(*log) != Quota::Room::none);
    }
    CHECK(log->log_start_offset() == Offset(0));
    LogReader reader(*log, Offset(0));
    while (auto batch = must(reader.next())) {
        for (const auto& each : batch->records()) noted -= each.headers.empty() ? 0 : 1;
    }
    CHECK(noted == 0);
}

TEST_CASE("quota: drop_newest acknowledges and drops, counts it, and reports it when there is space again") {
    Gateway gateway(400'000);
    auto* log = gateway.stream("a", small(OnFull::drop_newest));
    gateway.fill(*log);
    const auto kept = gateway.count(*log);
    {
        GroupCommit commit({.retry_interval = 20ms}, {});
        for (int i = 0; i < 10; ++i) CHECK(commit.append(*log, record(std::string(300, 'x'))).get().has_value());
        CHECK(commit.counters().records_dropped == 10);
        log->set_finished(log->high_watermark());
        while (gateway.make_room(*log) == Quota::Room::made && !log->segments().closed().empty()) {
        }
        commit.retry();
        const auto before = commit.counters().records_dropped;
        for (int i = 0; i < 100 && commit.counters().records_appended == 0; ++i) {
            CHECK(commit.append(*log, record("after")).get().has_value());
        }
        CHECK(before == 10);
    }
    CHECK(gateway.count(*log) < kept);
    std::int64_t reported = 0;
    for (const auto& gap : gateway.gaps) {
        if (gap.reason.find("drop_newest") != std::string::npos) reported += *gap.count;
    }
    CHECK(reported >= 10);
}

TEST_CASE("quota: drop_newest reports before the first acknowledgement of what it drops, and not each time") {
    Gateway gateway(400'000);
    auto* log = gateway.stream("a", small(OnFull::drop_newest));
    gateway.fill(*log);
    GroupCommit commit({.retry_interval = 20ms}, {});
    for (int i = 0; i < 10; ++i) {
        CHECK(commit.append(*log, record(std::string(300, 'x'))).get().has_value());
        CHECK(gateway.gaps.size() == 1);
    }
}

TEST_CASE("quota: what was given up is told by the next start, where a kill came before its report was durable") {
    Gateway gateway(400'000);
    auto options = small(OnFull::drop_oldest);
    SUBCASE("drop_oldest") {}
    SUBCASE("compact") {
        options.on_full = OnFull::compact;
    }
    SUBCASE("thin") {
        options.on_full = OnFull::thin;
    }
    SUBCASE("drop_newest") {
        options.on_full = OnFull::drop_newest;
    }
    auto* log = gateway.stream("a", options);
    gateway.fill(*log);
    if (options.on_full == OnFull::drop_newest) {
        GroupCommit commit({}, {});
        CHECK(commit.append(*log, record(std::string(300, 'x'))).get().has_value());
    } else {
        CHECK(gateway.make_room(*log) == Quota::Room::made);
    }
    const auto told = std::exchange(gateway.gaps, {});
    REQUIRE(!told.empty());
    gateway.kill();
    gateway.stream("a", options);
    REQUIRE(gateway.gaps.size() == told.size());
    for (std::size_t i = 0; i < told.size(); ++i) {
        CHECK(gateway.gaps[i].first == told[i].first);
        CHECK(gateway.gaps[i].next == told[i].next);
        CHECK(gateway.gaps[i].count == told[i].count);
    }
    for (const auto& gap : std::exchange(gateway.gaps, {})) gap.told();
    gateway.kill();
    gateway.stream("a", options);
    CHECK(gateway.gaps.empty());
}

TEST_CASE("quota: a stream that can't be cleaned doesn't keep the others from giving way") {
    Faults faults;
    FaultFileSystem files(faults);
    Gateway gateway(400'000, files);
    auto* table = gateway.stream("a", small(OnFull::compact, -1));
    auto* log = gateway.stream("b", small(OnFull::drop_oldest));
    for (int i = 0; i < 100; ++i) REQUIRE(gateway.append(*table, "k"));
    gateway.fill(*log);
    bool is_damaged = false;
    SUBCASE("no room for its copy") {
        faults.error_number = ENOSPC;
        faults.fail_at = faults.changes.load();
    }
    SUBCASE("damaged") {
        is_damaged = true;
        auto bytes = read_bytes(table->segments().closed().front()->path());
        bytes[200] = static_cast<char>(bytes[200] ^ 1);
        write_bytes(table->segments().closed().front()->path(), bytes);
    }
    const auto start = log->log_start_offset();
    CHECK(gateway.make_room(*log) == Quota::Room::made);
    // Damage is set aside, and then the lower stream can give way.
    CHECK((log->log_start_offset() > start) == !is_damaged);
}

TEST_CASE("quota: index files of closed segments count, from the moment that they are there to the one that they go") {
    Gateway gateway(1U << 20U);
    auto options = small(OnFull::drop_oldest);
    auto* log = gateway.stream("s", options);
    for (int i = 0; i < 100; ++i) REQUIRE(gateway.append(*log, "key-" + std::to_string(i)));
    const auto on_disk = [&] {
        std::uint64_t bytes = 0;
        const auto active = log->segments().all().back();
        for (const auto& file : std::filesystem::directory_iterator(log->directory())) {
            const auto name = file.path().filename().string();
            const bool counts = name.ends_with(kLogSuffix) || name == "spare" ||
                                (name.ends_with("index") && !active->path().ends_with(name.substr(0, 20) + ".log"));
            if (counts) bytes += file.file_size();
        }
        return bytes;
    };
    CHECK(gateway.logs->budget().used_bytes() == on_disk());
    for (const auto& segment : log->segments().closed()) {
        must(segment->repair_indexes());
        log->count_indexes(*segment);
    }
    CHECK(gateway.logs->budget().used_bytes() == on_disk());
    must(delete_oldest(gateway.files, *log, "test"));
    CHECK(gateway.logs->budget().used_bytes() == on_disk());
    gateway.kill();
    log = gateway.stream("s", options);
    CHECK(gateway.logs->budget().used_bytes() == on_disk());
}
