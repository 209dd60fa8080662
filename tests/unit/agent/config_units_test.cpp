#include "agent/config_units.hpp"

#include "agent/config_names.hpp"

#include <doctest/doctest.h>

using namespace sluice::agent;
using namespace std::chrono_literals;

TEST_CASE("units: durations and sizes are printed in the largest whole unit, and read back as they were") {
    const std::pair<const char*, std::chrono::milliseconds> durations[] = {
        {"0s", 0ms},    {"1ms", 1ms}, {"1500ms", 1500ms}, {"90s", 90s},
        {"90m", 90min}, {"1h", 1h},   {"25h", 25h},       {"7d", 168h}};
    for (const auto& c : durations) {
        CAPTURE(c.first);
        CHECK(format_duration(c.second) == c.first);
        CHECK(parse_duration(c.first) == c.second);
    }
    const std::pair<const char*, std::uint64_t> sizes[] = {{"0B", 0},
                                                           {"1B", 1},
                                                           {"1500B", 1500},
                                                           {"1KiB", 1024},
                                                           {"1025KiB", 1025U << 10U},
                                                           {"16MiB", 16U << 20U},
                                                           {"2TiB", 2ULL << 40U}};
    for (const auto& c : sizes) {
        CAPTURE(c.first);
        CHECK(format_size(c.second) == c.first);
        CHECK(parse_size(c.first) == c.second);
    }
    CHECK(parse_size("10MB") == 10'000'000);
    CHECK(parse_size("3GB") == 3'000'000'000);
    CHECK(parse_size("1TB") == 1'000'000'000'000);
    CHECK(parse_size("1KB") == 1000);
}

TEST_CASE("units: the largest number that fits is read, and one more is refused") {
    CHECK(parse_duration("9223372036854775807ms").has_value());
    CHECK_FALSE(parse_duration("9223372036854775808ms").has_value());
    CHECK(parse_duration("9223372036854775s").has_value());
    CHECK_FALSE(parse_duration("9223372036854776s").has_value());
    CHECK(parse_size("8388607TiB").has_value());
    CHECK_FALSE(parse_size("8388608TiB").has_value());
}

TEST_CASE("names: topics and identities") {
    for (const auto* good : {"a", "a.b", "A_b-9", "..."}) CHECK(is_kafka_topic_name(good));
    for (const auto* bad : {"", ".", "..", "a b", "a/b", "ä", "a:b"}) CHECK_FALSE(is_kafka_topic_name(bad));
    CHECK(is_kafka_topic_name(std::string(249, 'a')));
    CHECK_FALSE(is_kafka_topic_name(std::string(250, 'a')));
    for (const auto* good : {"gw-1", "host:1883", "[::1]:1883"}) CHECK(is_identity(good));
    for (const auto* bad : {"", "a b", "a\n", "ä"}) CHECK_FALSE(is_identity(bad));
    CHECK_FALSE(is_identity(std::string(129, 'a')));
}

TEST_CASE("names: a host and a port") {
    const auto good = parse_host_port("[fe80::1%eth0]:65535");
    REQUIRE(good);
    CHECK(good->host == "[fe80::1%eth0]");
    CHECK(good->port == 65535);
    for (const auto* bad : {"", "host", "host:", ":1", "host:0", "host:65536", "host:1x", "host:-1", "::1:1", "[]:1",
                            "[::1", "a b:1", "a,b:1", "host:1:2"}) {
        CAPTURE(bad);
        CHECK_FALSE(parse_host_port(bad).has_value());
    }
    CHECK(bad_broker("a:1, b:2 ,[::1]:3") == std::nullopt);
    CHECK(bad_broker("a:1,b") == "b");
    CHECK(bad_broker("") == "");
    CHECK(bad_broker("a:1,") == "");
}
