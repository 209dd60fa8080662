#include "agent/open_logs.hpp"

#include "tests/support/log_builder.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <string>

using namespace sluice::agent;
using namespace sluice::storage;
using namespace sluice::test;

TEST_CASE("open logs: what is there of streams that are not configured is named, with its size and what to do") {
    const TempDir dir;
    PosixFileSystem files;
    Config config;
    config.data_dir = dir / "data";
    config.streams["kept"] = {};
    CHECK(must(unused_streams(config, files)).empty());
    for (const auto* name : {"kept", "site.old", "sluice.inbound"}) {
        std::filesystem::create_directories(stream_directory(config.data_dir, name));
        write_bytes(stream_directory(config.data_dir, name) + "/00000000000000000000.log", std::string(4711, 'x'));
    }
    const auto unused = must(unused_streams(config, files));
    REQUIRE(unused.size() == 1);
    CHECK(unused[0].stream == "site.old");
    CHECK(unused[0].bytes == 4711);
    const auto said = to_string(unused[0]);
    CHECK(said.find(config.data_dir + "/log/site.old-0 (4711 bytes)") != std::string::npos);
    CHECK(said.find("[stream.\"site.old\"]") != std::string::npos);
}
