#include "agent/metrics/exposition.hpp"

#include "agent/config_text_file.hpp"
#include "agent/metrics/collect.hpp"
#include "tests/unit/agent/support_snapshot.hpp"

#include <doctest/doctest.h>

#include <map>
#include <set>
#include <sstream>

using namespace sluice::agent;
using namespace sluice::agent::metrics;
using sluice::test::busy_snapshot;

namespace {

bool has_line(const std::string& text, const std::string& line) {
    return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

}  // namespace

TEST_CASE("metrics: a counter's samples end in _total, its family in OpenMetrics does not") {
    const auto samples = collect(busy_snapshot());
    const auto text = expose(samples, Format::text);
    CHECK(has_line(text, "# TYPE sluice_messages_received_total counter"));
    CHECK(has_line(text, "sluice_messages_received_total 1000"));
    const auto open = expose(samples, Format::openmetrics);
    CHECK(has_line(open, "# TYPE sluice_messages_received counter"));
    CHECK(has_line(open, "sluice_messages_received_total 1000"));
    CHECK(has_line(open, "# UNIT sluice_stream_bytes bytes"));
    CHECK(open.ends_with("\n# EOF\n"));
    CHECK(text.find("# EOF") == std::string::npos);
    CHECK(text.find("# UNIT") == std::string::npos);
}

TEST_CASE("metrics: the classes of a histogram count what is below them, and end in all of it") {
    const auto text = expose(collect(busy_snapshot()), Format::text);
    const std::string name = "sluice_acknowledgement_latency_seconds";
    CHECK(has_line(text, name + "_bucket{way=\"listener\",le=\"0.0005\"} 0"));
    CHECK(has_line(text, name + "_bucket{way=\"listener\",le=\"0.001\"} 7"));
    CHECK(has_line(text, name + "_bucket{way=\"listener\",le=\"1.0\"} 7"));
    CHECK(has_line(text, name + "_bucket{way=\"listener\",le=\"+Inf\"} 7"));
    CHECK(has_line(text, name + "_sum{way=\"listener\"} 0.0063"));
    CHECK(has_line(text, name + "_count{way=\"listener\"} 7"));
}

TEST_CASE("metrics: a value of a label is escaped, whatever a stream or source is called") {
    Samples samples;
    samples.add_flag("sluice_source_connected", true, "a\"b\\c\nd");
    CHECK(has_line(expose(samples, Format::text), "sluice_source_connected{source=\"a\\\"b\\\\c\\nd\"} 1"));
}

TEST_CASE("metrics: what is not known is absent, not 0") {
    auto snapshot = busy_snapshot();
    CHECK(has_line(expose(collect(snapshot), Format::text), "sluice_storage_quota_bytes 67108864"));
    snapshot.quota_bytes.reset();
    snapshot.flash_days_left.reset();
    snapshot.forwarder.reset();
    const auto text = expose(collect(snapshot), Format::text);
    CHECK(text.find("sluice_storage_quota_bytes") == std::string::npos);
    CHECK(text.find("sluice_flash_life_left_seconds") == std::string::npos);
    CHECK(text.find("sluice_kafka_connected") == std::string::npos);
}

TEST_CASE("metrics: every family of the table is filled from an agent with all parts") {
    const auto samples = collect(busy_snapshot());
    for (const auto& family : families()) {
        CAPTURE(family.name);
        CHECK(samples.of(family) != nullptr);
    }
}

TEST_CASE("metrics: names keep to the rules: unique, a unit at the end, no _total in the table") {
    std::set<std::string_view> names;
    for (const auto& family : families()) {
        CAPTURE(family.name);
        CHECK(names.insert(family.name).second);
        CHECK((family.name.starts_with("sluice_") || family.name.starts_with("process_")));
        CHECK_FALSE(family.name.ends_with("_total"));
        CHECK(family.name.ends_with(family.unit));
        CHECK(family.help.ends_with("."));
    }
}

TEST_CASE("metrics: the format is what the client asks for") {
    CHECK(chosen_format("") == Format::text);
    CHECK(chosen_format("*/*") == Format::text);
    CHECK(chosen_format("text/plain") == Format::text);
    CHECK(chosen_format("application/openmetrics-text; version=1.0.0") == Format::openmetrics);
    // Prometheus 2.42.
    CHECK(chosen_format("application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
                        "text/plain;version=0.0.4;q=0.5,*/*;q=0.1") == Format::openmetrics);
    CHECK(chosen_format("text/plain, application/openmetrics-text;q=0.5") == Format::text);
    CHECK(chosen_format("application/openmetrics-text;q=0") == Format::text);
    CHECK(chosen_format(",;q=,;;,") == Format::text);
}

TEST_CASE("metrics: docs/metrics.md has every family with type, label and help, and no other") {
    const auto text = read_text_file(std::string(SLUICE_SOURCE_DIR) + "/docs/metrics.md", 1U << 20U);
    REQUIRE(text.has_value());
    std::set<std::string> documented;
    std::istringstream lines(*text);
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with("| `")) documented.insert(line);
    }
    std::set<std::string> expected;
    for (const auto& family : families()) {
        const std::string suffix = family.type == Type::counter ? "_total" : "";
        expected.insert("| `" + std::string(family.name) + suffix + "` | " + std::string(to_string(family.type)) +
                        " | " + (family.label.empty() ? "" : "`" + std::string(family.label) + "` ") + "| " +
                        std::string(family.help) + " |");
    }
    CHECK(documented == expected);
}
