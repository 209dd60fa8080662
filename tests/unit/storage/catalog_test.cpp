#include "storage/catalog.hpp"

#include "tests/support/log_builder.hpp"

#include <doctest/doctest.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <string>

using namespace sluice::storage;
using namespace sluice::test;

TEST_CASE("catalog: cursors survive, and one of another log id doesn't count") {
    const TempDir dir;
    const auto path = dir / "catalog.db";
    const auto id = LogId::random();
    {
        auto catalog = must(Catalog::open(path));
        CHECK_FALSE(must(catalog->cursor("forward", "telemetry", id)).has_value());
        must(catalog->store_cursors({{"forward", "telemetry", id, Offset(7)}, {"rules", "telemetry", id, Offset(3)}}));
        must(catalog->store_cursors({{"forward", "telemetry", id, Offset(8)}}));
    }
    auto catalog = must(Catalog::open(path));
    CHECK(must(catalog->cursor("forward", "telemetry", id)) == Offset(8));
    CHECK(must(catalog->cursor("rules", "telemetry", id)) == Offset(3));
    CHECK_FALSE(must(catalog->cursor("forward", "telemetry", LogId::random())).has_value());
    CHECK(must(catalog->cursors()).size() == 2);
    CHECK(must(must(Catalog::open(path, CatalogMode::read_only))->cursors()).size() == 2);
}

TEST_CASE("catalog: a source's subscriptions are replaced as a whole, and another's are left alone") {
    const TempDir dir;
    auto catalog = must(Catalog::open(dir / "catalog.db"));
    must(catalog->store_subscriptions("one", {{"a/#", 1}, {"b/+", 2}}));
    must(catalog->store_subscriptions("two", {{"c", 0}}));
    must(catalog->store_subscriptions("one", {{"b/+", 1}}));
    CHECK(must(catalog->subscriptions("one")) == Catalog::Subscriptions{{"b/+", 1}});
    CHECK(must(catalog->subscriptions("two")) == Catalog::Subscriptions{{"c", 0}});
    CHECK(must(catalog->subscriptions("three")).empty());
}

TEST_CASE("catalog: a file that is no database is refused with what to do") {
    const TempDir dir;
    write_bytes(dir / "catalog.db", std::string(4096, 'x'));
    const auto opened = Catalog::open(dir / "catalog.db");
    REQUIRE_FALSE(opened.has_value());
    CHECK(opened.error().kind() == Errc::corrupt);
    CHECK(opened.error().message().find("move the file away") != std::string::npos);
}

TEST_CASE("catalog: a newer schema is refused, not touched") {
    const TempDir dir;
    const auto path = dir / "catalog.db";
    must(Catalog::open(path));
    sqlite3* database = nullptr;
    REQUIRE(sqlite3_open(path.c_str(), &database) == SQLITE_OK);
    REQUIRE(sqlite3_exec(database, "PRAGMA user_version = 99", nullptr, nullptr, nullptr) == SQLITE_OK);
    sqlite3_close(database);
    const auto opened = Catalog::open(path);
    REQUIRE_FALSE(opened.has_value());
    CHECK(opened.error().message().find("newer sluice") != std::string::npos);
}

TEST_CASE("catalog: for tools it must exist") {
    const TempDir dir;
    CHECK_FALSE(Catalog::open(dir / "catalog.db", CatalogMode::read_only).has_value());
}

TEST_CASE("catalog: notes") {
    const TempDir dir;
    const auto path = dir / "catalog.db";
    {
        auto catalog = must(Catalog::open(path));
        CHECK_FALSE(must(catalog->note("flash vda")).has_value());
        must(catalog->store_note("flash vda", "one"));
        must(catalog->store_note("flash vda", "two"));
    }
    CHECK(must(must(Catalog::open(path))->note("flash vda")) == "two");
}

TEST_CASE("catalog: what it stores needs no new block of the disk, also after a restart") {
    const TempDir dir;
    const auto path = dir / "catalog.db";
    const auto blocks = [&] {
        std::int64_t sum = 0;
        for (const auto* suffix : {"", "-wal", "-shm"}) {
            struct stat status {};
            REQUIRE(::stat((path + suffix).c_str(), &status) == 0);
            sum += status.st_blocks;
        }
        return sum;
    };
    const auto id = LogId::random();
    std::int64_t before = 0;
    for (int start = 0; start < 3; ++start) {
        CAPTURE(start);
        auto catalog = must(Catalog::open(path));
        if (start == 0) before = blocks();
        CHECK(blocks() == before);
        for (int i = 0; i < 300; ++i) {
            must(catalog->store_cursors(
                {{"forward", "telemetry", id, Offset(i)}, {"forward", "events", id, Offset(i)}}));
            if (i % 10 == 0) must(catalog->store_note("note " + std::to_string(i), std::string(500, 'x')));
        }
        CHECK(blocks() == before);
    }
}
