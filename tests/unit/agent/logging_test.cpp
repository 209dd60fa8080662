#include "agent/logging.hpp"

#include "agent/config_text_file.hpp"
#include "agent/text.hpp"
#include "tests/unit/agent/support.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <memory>
#include <regex>
#include <thread>

using namespace sluice::agent;
using namespace sluice::test;
using sluice::bridge::Severity;

namespace {

/// What `say` makes a report write.
std::string written(Severity level, LogFormat format, const std::function<void(const sluice::bridge::Report&)>& say) {
    const ConfigDir dir;
    const std::unique_ptr<std::FILE, decltype(&std::fclose)> file(std::fopen((dir / "log").c_str(), "w"), &std::fclose);
    REQUIRE(file);
    say(make_report(level, format, file.get()));
    return *read_text_file(dir / "log", 16U << 20U);
}

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) lines.push_back(line);
    return lines;
}

}  // namespace

TEST_CASE("logging: a text line has time, level, component and message") {
    const auto text = written(Severity::debug, LogFormat::text, [](const auto& report) {
        report(Severity::info, "mqtt broker:1883", "connected");
        report(Severity::warning, "kafka", "away");
    });
    const std::regex time(R"(^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z )");
    const auto lines = lines_of(text);
    REQUIRE(lines.size() == 2);
    CHECK(std::regex_search(lines[0], time));
    CHECK(lines[0].substr(25) == "info  mqtt broker:1883: connected");
    CHECK(lines[1].substr(25) == "warning kafka: away");
}

TEST_CASE("logging: a JSON line is an object, whatever bytes a peer has sent") {
    const auto text = written(Severity::debug, LogFormat::json, [](const auto& report) {
        report(Severity::error, "mqtt \"b\"", "refused:\n\xff\x01\"");
    });
    const auto lines = lines_of(text);
    REQUIRE(lines.size() == 1);
    const auto line = nlohmann::json::parse(lines[0]);
    CHECK(line.at("level") == "error");
    CHECK(line.at("component") == "mqtt \"b\"");
    CHECK(line.at("message") == "refused:\n\xef\xbf\xbd\x01\"");
    CHECK(line.at("time").get<std::string>().size() == 24);
}

TEST_CASE("logging: a message is one line, and can't steer a terminal") {
    const auto text = written(Severity::debug, LogFormat::text, [](const auto& report) {
        report(Severity::info, "a\nb", "c\n2026-01-01T00:00:00.000Z error forged\x1b[2J");
    });
    CHECK(text.substr(25) == "info  a\\nb: c\\n2026-01-01T00:00:00.000Z error forged\\x1b[2J\n");
}

TEST_CASE("logging: what is less severe than the level is not written") {
    const auto text = written(Severity::warning, LogFormat::text, [](const auto& report) {
        report(Severity::debug, "x", "1");
        report(Severity::info, "x", "2");
        report(Severity::warning, "x", "3");
        report(Severity::error, "x", "4");
    });
    const auto lines = lines_of(text);
    REQUIRE(lines.size() == 2);
    CHECK(lines[0].ends_with("x: 3"));
    CHECK(lines[1].ends_with("x: 4"));
}

TEST_CASE("logging: lines of many threads stay whole") {
    constexpr int kThreads = 4;
    constexpr int kLines = 200;
    const auto text = written(Severity::info, LogFormat::text, [](const auto& report) {
        std::vector<std::thread> threads;
        for (int i = 0; i < kThreads; ++i) {
            threads.emplace_back([report, i] {
                for (int n = 0; n < kLines; ++n) {
                    report(Severity::info, "thread " + std::to_string(i) + "-" + std::to_string(n),
                           std::string(100, 'x'));
                }
            });
        }
        for (auto& thread : threads) thread.join();
    });
    const auto lines = lines_of(text);
    REQUIRE(lines.size() == kThreads * kLines);
    for (const auto& line : lines) {
        CHECK(line.substr(25, 13) == "info  thread ");
        CHECK(line.ends_with(": " + std::string(100, 'x')));
    }
}

TEST_CASE("text: times are shown as RFC 3339, and what no calendar has as milliseconds") {
    const auto shown = [](std::int64_t ms) {
        return format_time(sluice::storage::Timestamp(std::chrono::milliseconds(ms)));
    };
    CHECK(shown(0) == "1970-01-01T00:00:00.000Z");
    CHECK(shown(1769860800123) == "2026-01-31T12:00:00.123Z");
    CHECK(shown(-1) == "1969-12-31T23:59:59.999Z");
    CHECK(shown(253402300799999) == "9999-12-31T23:59:59.999Z");
    CHECK(shown(253402300800000) == "253402300800000ms");
    CHECK(shown(INT64_MIN) == "-9223372036854775808ms");
    CHECK(shown(INT64_MAX) == "9223372036854775807ms");
}

TEST_CASE("text: UTF-8 is told from other bytes") {
    for (const std::string_view good :
         {"", "a", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf", "\xed\x9f\xbf"}) {
        CAPTURE(good);
        CHECK(is_utf8(good));
    }
    for (const std::string_view bad : {"\x80", "\xc3", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf0\x80\x80\x80",
                                       "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xe2\x82", "a\xff", "\xc3\x28"}) {
        CAPTURE(base64(bad));
        CHECK_FALSE(is_utf8(bad));
    }
}

TEST_CASE("text: base64 as in RFC 4648 section 10") {
    CHECK(base64("") == "");
    CHECK(base64("f") == "Zg==");
    CHECK(base64("fo") == "Zm8=");
    CHECK(base64("foo") == "Zm9v");
    CHECK(base64("foob") == "Zm9vYg==");
    CHECK(base64("fooba") == "Zm9vYmE=");
    CHECK(base64("foobar") == "Zm9vYmFy");
    CHECK(base64("\xff\xfe\xfd") == "//79");
    for (const std::string bytes : {"", "f", "fo", "foo", "foob"}) CHECK(from_base64(base64(bytes)) == bytes);
    for (const auto* wrong : {"Zg=", "Z===", "Zm9*", "Zg==Zg==", "Zg=v"}) CHECK_FALSE(from_base64(wrong));
}
