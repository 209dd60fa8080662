#include "agent/uplink_files.hpp"

#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

using namespace sluice;
using agent::UplinkFiles;
using std::chrono_literals::operator""s;

namespace {

void write(const std::string& path, const std::string& text) {
    std::ofstream(path + ".new") << text;
    std::filesystem::rename(path + ".new", path);
}

}  // namespace

TEST_CASE("uplink files: a change counts once nothing changes any more, and is taken once, of use or not") {
    test::TempDir dir;
    const auto path = dir / "ca.pem";
    write(path, "one");
    bridge::kafka::ClusterOptions options;
    options.brokers = "localhost:1";
    options.properties = {{"security.protocol", "SSL"}, {"ssl.ca.location", path}, {"ssl.key.password", "no key"}};
    UplinkFiles files(options);
    CHECK(files.any());
    auto now = UplinkFiles::TimePoint(100s);
    CHECK_FALSE(files.changed(now));
    write(path, "two");
    CHECK_FALSE(files.changed(now + 1s));  // not looked at yet
    CHECK_FALSE(files.changed(now += 2s));
    write(path, "three");
    CHECK_FALSE(files.changed(now += 2s));
    CHECK(files.changed(now += 2s));
    const auto fault = files.take();
    REQUIRE(fault);
    CHECK(fault->find("ssl.ca.location") != std::string::npos);
    CHECK_FALSE(files.changed(now += 2s));
    std::filesystem::remove(path);
    CHECK_FALSE(files.changed(now += 2s));
    CHECK(files.changed(now += 2s));
}

TEST_CASE("uplink files: without certificates there is nothing to read again") {
    bridge::kafka::ClusterOptions options;
    options.properties = {{"security.protocol", "SASL_PLAINTEXT"}, {"linger.ms", "5"}};
    UplinkFiles files(options);
    CHECK_FALSE(files.any());
    CHECK_FALSE(files.changed(UplinkFiles::TimePoint(100s)));
}
