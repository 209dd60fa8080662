#include "storage/checked_file.hpp"

#include "storage/compaction.hpp"
#include "tests/support/log_builder.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

using namespace sluice::storage;
using namespace sluice::test;
using Values = std::vector<std::string>;

TEST_CASE("checked file: no flipped bit passes for another text") {
    const TempDir dir;
    PosixFileSystem files;
    must(store_checked(files, dir.path(), "f", "4711\n"));
    const auto path = dir / "f";
    const auto good = read_bytes(path);
    CHECK(must(load_checked(files, path)).text == "4711\n");
    CHECK(must(load_checked(files, path)).has_checksum);
    for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
        auto bad = good;
        bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
        write_bytes(path, bad);
        const auto text = load_checked(files, path);
        CHECK((!text || !parse_number_line(text->text)));
    }
}

TEST_CASE("checked file: one of an older version, without a checksum, is read") {
    const TempDir dir;
    PosixFileSystem files;
    const auto path = dir / "f";
    write_bytes(path, "4711\n");
    CHECK(must(load_checked(files, path)).text == "4711\n");
    CHECK_FALSE(must(load_checked(files, path)).has_checksum);
}

TEST_CASE("checked file: a number is a line of its own, and nothing else") {
    CHECK(parse_number_line("42\n") == 42);
    for (const auto* text : {"", "42", "-1\n", "4x\n", "42\n43\n", "99999999999999999999\n"}) {
        CAPTURE(text);
        CHECK_FALSE(parse_number_line(text));
    }
}

TEST_CASE("log id: a damaged file is restored from the copy, so that no cursor is lost") {
    TestLog log;
    log.append("a");
    const auto id = log->id();
    log.kill();
    const auto path = log.directory() + "/log-id";
    auto text = read_bytes(path);
    text[3] = text[3] == 'a' ? 'b' : 'a';  // a UUID all the same
    SUBCASE("damaged") {
        write_bytes(path, text);
    }
    SUBCASE("missing") {
        std::filesystem::remove(path);
    }
    SUBCASE("empty") {
        write_bytes(path, "");
    }
    log.open();
    CHECK(log->id() == id);
    CHECK(log.gaps.empty());
    CHECK(read_bytes(path).starts_with(id.to_string()));
}

TEST_CASE("log id: one that an older version wrote is kept, and gets its checksum") {
    TestLog log;
    const auto id = log->id();
    log.kill();
    const auto path = log.directory() + "/log-id";
    write_bytes(path, id.to_string() + "\n");
    log.open();
    CHECK(log->id() == id);
    PosixFileSystem files;
    CHECK(must(load_checked(files, path)).has_checksum);
}

TEST_CASE("log: where all segments are gone it says so") {
    TestLog log;
    log.append("a");
    must(log->close());
    log.kill();
    std::filesystem::remove(log.segment(0));
    log.open();
    REQUIRE(log.gaps.size() == 1);
    CHECK(log.gaps[0].next == Offset(1));
}

TEST_CASE("offset reserve: damaged, the log opens as another one, keeps its records, and says so") {
    LogOptions options;
    options.durability = Durability::memory;
    TestLog log(options);
    log.append("a");
    must(log->roll());  // written
    log.append("b");
    const auto id = log->id();
    log.kill();
    const auto path = log.directory() + "/offset-reserve";
    auto text = read_bytes(path);
    text[0] = static_cast<char>(text[0] ^ 1);  // another number
    write_bytes(path, text);
    log.open();
    CHECK_FALSE(log->id() == id);
    CHECK(log.values() == Values{"a"});
    REQUIRE(log.gaps.size() == 1);
    CHECK_FALSE(log.gaps[0].count);
    CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("cleaner offset: damaged, or beyond the log's end, it keeps nothing from being compacted") {
    LogOptions options;
    options.segment_bytes = 1000;
    options.compression = Compression::none;
    options.cleanup = Cleanup::compact;
    TestLog log(options);
    for (int i = 0; i < 50; ++i) log.append(std::string(100, 'x'));
    PosixFileSystem files;
    must(store_checked(files, log.directory(), "cleaner-offset", "49\n"));
    auto text = read_bytes(log.directory() + "/cleaner-offset");
    SUBCASE("damaged") {
        text[0] = '0';
    }
    SUBCASE("of an older version, and beyond the end") {
        text = "999999\n";
    }
    write_bytes(log.directory() + "/cleaner-offset", text);
    const auto pass =
        must(compact(files, *log, log.clock, {.whatever_the_ratio = true}, [](std::size_t) { return true; }));
    CHECK(pass.records_left_out > 30);
}

TEST_CASE("checked file: a small file that has become huge is damaged, and not read into memory") {
    TestLog log;
    log.append("x");
    log.kill();
    const auto path = log.directory() + "/log-id";
    std::filesystem::resize_file(path, std::uint64_t{1} << 42U);  // sparse
    PosixFileSystem files;
    CHECK(load_checked(files, path).error().kind() == Errc::corrupt);
    log.open();
    CHECK(log.values() == Values{"x"});
}
