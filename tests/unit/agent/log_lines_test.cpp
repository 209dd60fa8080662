#include "agent/log_lines.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <algorithm>

using namespace sluice::agent;
using namespace std::chrono_literals;

namespace {

LogEvent gap() {
    LogEvent event;
    event.time = sluice::storage::Timestamp(1'769'860'800'123ms);
    event.severity = sluice::bridge::Severity::error;
    event.component = "stream telemetry";
    event.message = "gap: 3 \"records\" lost\nat once";
    event.offset = 4711;
    event.cause = "no-space";
    return event;
}

}  // namespace

TEST_CASE("log lines: logfmt quotes what has to be, and has stream, offset and cause") {
    CHECK(logfmt_line(gap()) ==
          "time=2026-01-31T12:00:00.123Z level=error component=\"stream telemetry\" stream=telemetry offset=4711 "
          "cause=no-space msg=\"gap: 3 \\\"records\\\" lost\\nat once\"\n");
    LogEvent plain;
    plain.component = "kafka";
    plain.message = "";
    CHECK(logfmt_line(plain) == "time=1970-01-01T00:00:00.000Z level=info component=kafka msg=\"\"\n");
}

TEST_CASE("log lines: JSON has the fields that there are") {
    const auto line = nlohmann::json::parse(json_line(gap()));
    CHECK(line.at("stream") == "telemetry");
    CHECK(line.at("offset") == 4711);
    CHECK(line.at("cause") == "no-space");
    CHECK_FALSE(line.contains("repeated"));
    auto again = gap();
    again.repeated = 3;
    CHECK(nlohmann::json::parse(json_line(again)).at("repeated") == 3);
}

TEST_CASE("log lines: the journal gets its own fields and ours") {
    const auto fields = journal_fields(gap());
    const auto has = [&](const std::string& field) {
        return std::find(fields.begin(), fields.end(), field) != fields.end();
    };
    CHECK(has("PRIORITY=3"));
    CHECK(has("SLUICE_STREAM=telemetry"));
    CHECK(has("SLUICE_OFFSET=4711"));
    CHECK(has("SLUICE_CAUSE=no-space"));
    CHECK(has("MESSAGE=stream telemetry: gap: 3 \"records\" lost\nat once"));
}

TEST_CASE("repeats: the same line is written once in its window, and its number with the next one") {
    Repeats repeats;
    const Repeats::TimePoint start{};
    auto event = gap();
    CHECK(repeats.take(event, start));
    CHECK(event.repeated == 0);
    CHECK_FALSE(repeats.take(event, start + 1s));
    CHECK_FALSE(repeats.take(event, start + 9s));
    auto other = gap();
    other.message = "another";
    CHECK(repeats.take(other, start + 1s));
    CHECK(repeats.due(start + 9s).empty());
    auto later = gap();
    CHECK(repeats.take(later, start + Repeats::kWindow));
    CHECK(later.repeated == 2);
}

TEST_CASE("repeats: what was left out is said when its window is over, though it doesn't come again") {
    Repeats repeats;
    const Repeats::TimePoint start{};
    auto event = gap();
    CHECK(repeats.take(event, start));
    for (int i = 0; i < 5; ++i) CHECK_FALSE(repeats.take(event, start + 1s));
    const auto due = repeats.due(start + Repeats::kWindow);
    REQUIRE(due.size() == 1);
    CHECK(due[0].repeated == 4);  // and this line itself is the fifth
    CHECK(repeats.due(start + Repeats::kWindow).empty());
    CHECK(text_line(due[0]).ends_with(" (4 times more)\n"));
}

TEST_CASE("repeats: very many different lines are all written") {
    Repeats repeats;
    for (std::size_t i = 0; i < 10 * Repeats::kKnownMax; ++i) {
        auto event = gap();
        event.message = std::to_string(i);
        CHECK(repeats.take(event, Repeats::TimePoint()));
    }
}
