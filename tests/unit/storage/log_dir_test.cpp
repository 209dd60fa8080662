#include "storage/log_dir.hpp"

#include "tests/support/fault_file_system.hpp"
#include "tests/support/log_builder.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <set>
#include <string>

using namespace sluice::storage;
using namespace sluice::test;

TEST_CASE("log dir: a second holder is refused and told who holds it; when the first is gone it may") {
    const TempDir dir;
    PosixFileSystem files;
    const SystemClock clock;
    {
        const auto first = must(LogDir::open(files, clock, dir / "data"));
        const auto second = LogDir::open(files, clock, dir / "data");
        REQUIRE_FALSE(second.has_value());
        CHECK(second.error().kind() == Errc::locked);
        CHECK(second.error().message().find("process " + std::to_string(::getpid())) != std::string::npos);
    }
    CHECK(LogDir::open(files, clock, dir / "data").has_value());
}

TEST_CASE("log dir: a directory that can't be is one clear error") {
    const TempDir dir;
    PosixFileSystem files;
    const SystemClock clock;
    write_bytes(dir / "file", "");
    const auto opened = LogDir::open(files, clock, dir / "file/data");
    REQUIRE_FALSE(opened.has_value());
    CHECK(opened.error().kind() == Errc::io);
    CHECK(opened.error().message().find(dir / "file/data") != std::string::npos);
}

TEST_CASE("log dir: streams are found by name, and opened once") {
    const TempDir dir;
    PosixFileSystem files;
    const SystemClock clock;
    const auto logs = must(LogDir::open(files, clock, dir / "data"));
    auto* log = must(logs->open_stream("telemetry", {}));
    CHECK(must(logs->open_stream("telemetry", {})) == log);
    CHECK(logs->find("telemetry") == log);
    CHECK(logs->find("other") == nullptr);
    CHECK(logs->streams().size() == 1);
    must(logs->close());
}

TEST_CASE("log id: text and back, and nothing else") {
    const auto id = LogId::random();
    CHECK(LogId::parse(id.to_string()) == id);
    CHECK(id.to_string().size() == 36);
    for (const std::string bad :
         {"", "x", "00000000-0000-0000-0000-00000000000", "00000000-0000-0000-0000-0000000000000",
          "000000000000-0000-0000-000000000000", "0000000g-0000-0000-0000-000000000000"}) {
        CHECK_FALSE(LogId::parse(bad).has_value());
    }
}

TEST_CASE("log dir: each directory that it makes is synced in the one above it") {
    struct Syncs final : FaultFileSystem {
        using FaultFileSystem::FaultFileSystem;
        Result<void> sync_entries(const std::string& directory) override {
            synced.insert(directory);
            return FaultFileSystem::sync_entries(directory);
        }
        std::set<std::string> synced;
    };
    const TempDir dir;
    Faults faults;
    Syncs files(faults);
    const SystemClock clock;
    static_cast<void>(must(LogDir::open(files, clock, dir / "a/b/data")));
    for (const auto& made : {dir.path(), dir / "a", dir / "a/b", dir / "a/b/data"}) {
        CAPTURE(made);
        CHECK(files.synced.contains(made));
    }
}

TEST_CASE("log dir: where the lock's file was removed or replaced, the process that held it accepts nothing more") {
    const TempDir dir;
    PosixFileSystem files;
    const SystemClock clock;
    const auto logs = must(LogDir::open(files, clock, dir / "data"));
    auto* log = must(logs->open_stream("s", {}));
    BatchBuilder batch;
    batch.add(record("x"));
    must(log->append(batch));
    must(log->commit());
    SUBCASE("before an append") {
        std::filesystem::remove(dir / "data/lock");
        CHECK(log->append(batch).error().kind() == Errc::locked);
    }
    SUBCASE("before a commit") {
        must(log->append(batch));
        std::filesystem::remove(dir / "data/lock");
        const auto second = must(LogDir::open(files, clock, dir / "data"));
        const auto done = log->commit();
        REQUIRE_FALSE(done.has_value());
        CHECK(done.error().kind() == Errc::locked);
        CHECK(done.error().message().find("data/lock was replaced") != std::string::npos);
    }
    CHECK(log->high_watermark() == Offset(1));
    CHECK(log->commit().error().kind() == Errc::sync_failed);
    CHECK_FALSE(logs->close().has_value());
}

TEST_CASE("log dir: a new stream on a full disk keeps no other from being served, and begins when there is room") {
    const TempDir dir;
    Faults faults;
    FaultFileSystem files(faults);
    const TestClock clock;
    auto logs = must(LogDir::open(files, clock, dir / "data"));
    auto* old = must(logs->open_stream("old", {}));
    faults.error_number = ENOSPC;
    faults.fail_creates = true;
    auto* log = must(logs->open_stream("new", {}));
    CHECK(log->waits_to_begin());
    const auto id = log->id();
    BatchBuilder batch;
    batch.add(record("x"));
    CHECK(log->append(batch).error().kind() == Errc::no_space);
    must(log->roll());
    CHECK(log->size_bytes() == 0);
    CHECK(must(log->offset_for(Timestamp{})) == Offset(0));
    must(old->append(batch));
    must(old->commit());
    faults.fail_creates = false;
    SUBCASE("a clean stop before it has begun") {
        must(logs->close());
        return;
    }
    must(log->append(batch));
    must(log->commit());
    CHECK_FALSE(log->waits_to_begin());
    must(log->roll());
    must(logs->close());
    logs.reset();
    logs = must(LogDir::open(files, clock, dir / "data"));
    log = must(logs->open_stream("new", {}));
    CHECK(log->id() == id);
    CHECK(log->high_watermark() == Offset(1));
}
