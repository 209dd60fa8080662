#include "bridge/payload/timestamp.hpp"

#include <doctest/doctest.h>

#include <array>
#include <string>

using sluice::bridge::is_json_pointer;
using sluice::bridge::parse_rfc3339;
using sluice::bridge::payload_timestamp;
using sluice::bridge::TimestampFormat;

namespace {

std::int64_t ms(const sluice::storage::Result<sluice::storage::Timestamp>& result) {
    if (!result) FAIL(result.error().message());
    return result->time_since_epoch().count();
}

}  // namespace

TEST_CASE("timestamp: RFC 3339") {
    struct Case {
        const char* text;
        std::int64_t ms;
    };
    constexpr std::array kCases = {
        Case{"1970-01-01T00:00:00Z", 0},
        Case{"2026-01-31T12:30:45Z", 1769862645000},
        Case{"2026-01-31T12:30:45.123Z", 1769862645123},
        Case{"2026-01-31T12:30:45.1239999Z", 1769862645123},
        Case{"2026-01-31t12:30:45.5z", 1769862645500},
        Case{"2026-01-31 12:30:45+01:00", 1769859045000},
        Case{"2026-01-31T12:30:45-05:30", 1769882445000},
        Case{"2024-02-29T00:00:00Z", 1709164800000},
        Case{"2016-12-31T23:59:60Z", 1483228800000},
    };
    for (const auto& c : kCases) {
        INFO(c.text);
        CHECK(ms(parse_rfc3339(c.text)) == c.ms);
    }
}

TEST_CASE("timestamp: what is not RFC 3339 is refused") {
    for (const auto* bad :
         {"", "2026", "2026-01-31", "2026-01-31T12:30:45", "2026-13-01T00:00:00Z", "2026-02-29T00:00:00Z",
          "2026-01-31T24:00:00Z", "2026-01-31T12:60:00Z", "2026-01-31T12:30:61Z", "2026-01-31T12:30:45.Z",
          "2026-01-31T12:30:45+1:00", "2026-01-31T12:30:45Zx", " 2026-01-31T12:30:45Z", "2026-01-31T12:30:45+25:00"}) {
        CHECK_MESSAGE(parse_rfc3339(bad).has_error(), bad);
    }
}

TEST_CASE("timestamp: numbers by format, and by magnitude where the format is automatic") {
    struct Case {
        const char* json;
        TimestampFormat format;
        std::int64_t ms;
    };
    using enum TimestampFormat;
    constexpr std::array kCases = {
        Case{"1700000000", seconds, 1700000000000},
        Case{"1700000000.5", seconds, 1700000000500},
        Case{"1700000000123", milliseconds, 1700000000123},
        Case{"1700000000123456", microseconds, 1700000000123},
        Case{"1700000000123456789", nanoseconds, 1700000000123},
        Case{"1700000000", automatic, 1700000000000},
        Case{"1700000000123", automatic, 1700000000123},
        Case{"1700000000123456", automatic, 1700000000123},
        Case{"1700000000123456789", automatic, 1700000000123},
        Case{"\"2026-01-31T12:30:45Z\"", automatic, 1769862645000},
        Case{"\"2026-01-31T12:30:45Z\"", rfc3339, 1769862645000},
        Case{"0", milliseconds, 0},
    };
    for (const auto& c : kCases) {
        INFO(c.json);
        CHECK(ms(payload_timestamp(std::string("{\"ts\":") + c.json + "}", "/ts", c.format)) == c.ms);
    }
}

TEST_CASE("timestamp: JSON pointers reach into objects and arrays") {
    const std::string json = R"({"a/b":{"m~n":[{"t":1700000000}]},"":7})";
    CHECK(ms(payload_timestamp(json, "/a~1b/m~0n/0/t", TimestampFormat::seconds)) == 1700000000000);
    CHECK(ms(payload_timestamp("1700000000", "", TimestampFormat::seconds)) == 1700000000000);
}

TEST_CASE("timestamp: a payload without a time says why, and is never fatal") {
    using enum TimestampFormat;
    const auto fails = [](const std::string& payload, TimestampFormat format = automatic) {
        const auto result = payload_timestamp(payload, "/ts", format);
        return !result && !result.error().message().empty();
    };
    CHECK(fails(""));
    CHECK(fails("{"));
    CHECK(fails("\xff\xfe"));
    CHECK(fails(std::string("{\"ts\":1700000000\0}", 17)));
    CHECK(fails("{}"));
    CHECK(fails("[1]"));
    CHECK(fails("{\"ts\":null}"));
    CHECK(fails("{\"ts\":true}"));
    CHECK(fails("{\"ts\":-1}"));
    CHECK(fails("{\"ts\":1e400}"));
    CHECK(fails("{\"ts\":1e300}", seconds));
    CHECK(fails("{\"ts\":\"yesterday\"}"));
    CHECK(fails("{\"ts\":1700000000}", rfc3339));
    CHECK(fails("{\"ts\":300000000000}", seconds));  // beyond the year 9999
    CHECK(fails(std::string(1000000, '[')));
    CHECK(fails("{\"ts\":1700000000,\"pad\":\"" + std::string(sluice::bridge::kJsonBytesMax, 'x') + "\"}"));
}

TEST_CASE("timestamp: what is a JSON pointer") {
    for (const auto* good : {"", "/", "/a", "/a/b", "/a~0b", "/a~1b", "/0"}) CHECK_MESSAGE(is_json_pointer(good), good);
    for (const auto* bad : {"a", "a/b", "/a~", "/a~2"}) CHECK_MESSAGE(!is_json_pointer(bad), bad);
}
