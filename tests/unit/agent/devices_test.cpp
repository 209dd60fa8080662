#include "agent/admin/devices_json.hpp"
#include "agent/cli/status_view.hpp"
#include "agent/device_book.hpp"
#include "tests/unit/agent/support.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using namespace sluice;
using namespace sluice::agent;
using namespace std::chrono_literals;
using sluice::agent::test::TempDir;

namespace {

storage::Timestamp at(std::chrono::milliseconds time) {
    return storage::Timestamp(time);
}

const bridge::Device kPump{"telemetry", "pump-07", at(1000ms), at(61'000ms), 61, 1000.0, "{\"temperature\":61.5}", 20};

}  // namespace

TEST_CASE("devices: who was here is kept over a restart, without values") {
    const bridge::Device odd{"t", "\xff", at(1ms), at(2ms), 1, {}, "", 0};
    const bridge::Device once{"t", "once \"\n", at(1ms), at(2ms), 1, {}, "v", 1};
    const auto again = devices_from_text(devices_to_text({kPump, odd, once}));
    REQUIRE(again.size() == 2);  // a key that is not text is left out
    CHECK(again[0].key == "pump-07");
    CHECK(again[0].first == kPump.first);
    CHECK(again[0].last == kPump.last);
    CHECK(again[0].messages == 61);
    CHECK(again[0].interval_ms == 1000.0);
    CHECK(again[0].value.empty());
    CHECK(again[1].key == "once \"\n");
    CHECK_FALSE(again[1].interval_ms);
}

TEST_CASE("devices: a note that was damaged leaves out what can't be read") {
    for (const auto* text : {"", "{", "{}", "7", "[7]", "[[]]", "[[1,\"k\",1,1,1,null]]", "[[\"t\",\"k\",1,1,-1,null]]",
                             "[[\"t\",\"k\",\"1\",1,1,null]]"}) {
        CAPTURE(text);
        CHECK(devices_from_text(text).empty());
    }
    CHECK(devices_from_text("[[\"t\",\"k\",1,2,3,\"x\"]]").size() == 1);
}

TEST_CASE("devices: the book fills the registry at the start and is written at the end") {
    const TempDir dir;
    const auto catalog = storage::Catalog::open(dir.path("catalog.db"));
    REQUIRE(catalog.has_value());
    const auto report = [](bridge::Severity, std::string_view, const std::string&) {};
    {
        bridge::DeviceRegistry devices;
        devices.restore(kPump);
        DeviceBook(devices, **catalog, report).save();
    }
    bridge::DeviceRegistry devices;
    const DeviceBook book(devices, **catalog, report);
    REQUIRE(devices.list().size() == 1);
    CHECK(devices.list()[0].messages == 61);
}

TEST_CASE("devices: JSON has the longest silent first, and shows bytes that are no text as base64") {
    const bridge::Device fresh{"t", "k\xff", at(0ms), at(120'000ms), 1, {}, "\xff\x01", 2};
    const auto json = admin::devices_json({fresh, kPump}, at(121'000ms));
    REQUIRE(json.size() == 2);
    CHECK(json[0].at("key") == "pump-07");
    CHECK(json[0].at("silent_seconds") == 60.0);
    CHECK(json[0].at("per_minute") == 60.0);
    CHECK(json[0].at("value") == "{\"temperature\":61.5}");
    CHECK(json[1].at("key") == "base64:a/8=");
    CHECK(json[1].at("per_minute").is_null());
    CHECK(json[1].at("value") == "base64:/wE=");
}

TEST_CASE("devices: a value that is cut in a character loses that, and stays text") {
    auto device = kPump;
    device.value = "gr\xc3\xb6\xc3";
    device.value_bytes = 100;
    CHECK(admin::devices_json({device}, device.last)[0].at("value") == "gr\xc3\xb6");
}

TEST_CASE("devices: a page fits 80 columns, and no device steers the terminal") {
    auto device = kPump;
    device.key = std::string(100, 'k');
    device.stream = std::string(100, 's');
    device.value = "\x1b[2J\n" + std::string(50, 'v');
    device.last = at(0ms);
    const auto page = devices_page(admin::devices_json({device, kPump}, at(1'769'860'800'000ms)));
    std::istringstream lines(page);
    int count = 0;
    for (std::string line; std::getline(lines, line); ++count) {
        CHECK_MESSAGE(line.size() <= 80, line);
        CHECK(line.find('\x1b') == std::string::npos);
    }
    CHECK(count == 3);
    CHECK(page.find("pump-07") != std::string::npos);
}
