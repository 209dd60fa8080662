#include "agent/cli/status_view.hpp"

#include "agent/admin/status_json.hpp"
#include "tests/unit/agent/support_snapshot.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <sstream>

using namespace sluice::agent;
using sluice::test::busy_snapshot;

namespace {

std::string page_of(const Snapshot& snapshot, bool colour = false, const Rates& rates = {}) {
    return status_page(nlohmann::ordered_json::parse(admin::dump(admin::status_json(snapshot, rates))), colour);
}

std::size_t longest_line(const std::string& page) {
    std::size_t most = 0;
    std::istringstream lines(page);
    for (std::string line; std::getline(lines, line);) {
        const auto width = std::count_if(line.begin(), line.end(),
                                         [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; });
        most = std::max(most, static_cast<std::size_t>(width));
    }
    return most;
}

bool has_control_codes(const std::string& page) {
    return std::any_of(page.begin(), page.end(),
                       [](char c) { return (static_cast<unsigned char>(c) < ' ' && c != '\n') || c == '\x7f'; });
}

}  // namespace

TEST_CASE("status: the page says how the agent does") {
    Rates rates;
    rates.received_per_s = 12.3;
    rates.drain_s = 29;
    rates.streams["telemetry"] = {5, 3.1, 29};
    const auto page = page_of(busy_snapshot(), false, rates);
    for (const auto* text :
         {"gateway-17  sluice 1.2.3, up 2 d 1 h", "ready\n", "1.0k received 12.3/s", "backlog 290, gone in 29 s",
          "kafka-1:9092, exactly-once: NOT CONNECTED for 5 min", "connection refused", "plant: connected for 1 h",
          "12 connections", "16.0 MiB of 64.0 MiB", "2.1k days left", "17 no-space"}) {
        CAPTURE(text);
        CHECK_MESSAGE(page.find(text) != std::string::npos, page);
    }
    CHECK(longest_line(page) <= 80);
    CHECK_FALSE(has_control_codes(page));
}

TEST_CASE("status: no line is longer than 80 columns, and no peer steers the terminal, whatever things are called") {
    auto snapshot = busy_snapshot();
    snapshot.id = std::string(200, 'i');
    snapshot.brokers = std::string(300, 'b');
    snapshot.streams[0].name = "größe-" + std::string(100, 's');
    snapshot.streams[0].blocked = true;
    snapshot.streams[0].forwarding->held = std::string(500, 'h');
    snapshot.streams[0].forwarding->backlog = 9'000'000'000'000;
    snapshot.streams[0].bytes = 900ULL << 40U;
    snapshot.forwarder->link.why = "\x1b[2J\x1b]0;owned\x07 and more \n" + std::string(400, 'w');
    snapshot.sources[0].name = "\x1b[31m";
    const auto page = page_of(snapshot);
    CHECK_MESSAGE(longest_line(page) <= 80, page);
    CHECK_FALSE(has_control_codes(page));
    CHECK(page.find("NOT READY") != std::string::npos);
}

TEST_CASE("status: only a terminal gets colour") {
    CHECK(page_of(busy_snapshot(), true).find("\x1b[32mready\x1b[0m") != std::string::npos);
    CHECK_FALSE(has_control_codes(page_of(busy_snapshot(), false)));
}

TEST_CASE("status: an agent without Kafka, listener and sources has a page too") {
    auto snapshot = busy_snapshot();
    snapshot.forwarder.reset();
    snapshot.listener.reset();
    snapshot.sources.clear();
    snapshot.quota_bytes.reset();
    const auto page = page_of(snapshot);
    CHECK(page.find("nothing is forwarded") != std::string::npos);
    CHECK(page.find("no quota") != std::string::npos);
}

TEST_CASE("status: numbers are short") {
    CHECK(short_size(0) == "0 B");
    CHECK(short_size(1536) == "1.5 KiB");
    CHECK(short_size(200.0 * 1024 * 1024) == "200 MiB");
    CHECK(short_time(59.9) == "59 s");
    CHECK(short_time(3600) == "1 h");
    CHECK(short_time(12'000) == "3 h 20 min");
    CHECK(short_time(90'000) == "1 d 1 h");
    CHECK(short_count(0) == "0");
    CHECK(short_count(12.34) == "12.3");
    CHECK(short_count(1234) == "1.2k");
    CHECK(short_count(123'456'789) == "123M");
}

TEST_CASE("status: alerts that fire are told by rule") {
    CHECK(page_of(busy_snapshot()).find("alerts    1 firing: overheating 1 (sluice alerts says which)") !=
          std::string::npos);
    auto snapshot = busy_snapshot();
    snapshot.rules->firing = 0;
    CHECK(page_of(snapshot).find("alerts    none fires") != std::string::npos);
    snapshot.rules.reset();
    CHECK(page_of(snapshot).find("alerts ") == std::string::npos);
}

TEST_CASE("alerts: the page has what began, what ended, and nothing that steers a terminal") {
    const auto alerts = nlohmann::ordered_json::parse(R"([
        {"state": "firing", "severity": "critical", "rule": "overheating", "device": "pump-7", "message": "is \u001b[31m hot",
         "start": "2026-01-31T10:03:00.000Z", "at": "2026-01-31T10:05:00.000Z"},
        {"state": "resolved", "severity": "critical", "rule": "a-rule-with-a-name-that-is-longer-than-its-column",
         "device": "a-device-with-a-name-that-is-longer-than-its-column", "message": "",
         "start": "2026-01-31T10:03:00.000Z", "at": "2026-01-31T10:06:00.000Z"}])");
    const auto page = alerts_page(alerts);
    CHECK(page.find("2026-01-31 10:03:00  critical  overheating              pump-7\n    is ") != std::string::npos);
    CHECK(page.find("2026-01-31 10:06:00  resolved  a-rule-with") != std::string::npos);
    CHECK(longest_line(page) <= 80);
    CHECK(!has_control_codes(page));
    CHECK(alerts_page(nlohmann::ordered_json::array()) == "no alert\n");
}
