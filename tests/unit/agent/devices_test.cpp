#include "agent/admin/devices_json.hpp"
#include "agent/admin/query_string.hpp"
#include "agent/cli/status_view.hpp"
#include "agent/device_book.hpp"
#include "tests/unit/agent/support.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using namespace sluice;
using namespace sluice::agent;
using namespace std::chrono_literals;
using sluice::test::TempDir;

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
    const auto catalog = storage::Catalog::open(dir / "catalog.db");
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
    std::vector<bridge::Device> devices{fresh, kPump};
    CHECK(admin::choose(devices, {}) == 2);
    const auto json = admin::devices_json(devices, at(121'000ms));
    REQUIRE(json.size() == 2);
    CHECK(json[0].at("key") == "pump-07");
    CHECK(json[0].at("silent_seconds") == 60.0);
    CHECK(json[0].at("per_minute") == 60.0);
    CHECK(json[0].at("value") == "{\"temperature\":61.5}");
    CHECK(json[1].at("key") == "base64:a/8=");
    CHECK(json[1].at("per_minute").is_null());
    CHECK(json[1].at("value") == "base64:/wE=");
}

TEST_CASE("devices: somebody chooses by stream, a part of the key, and a page of them") {
    const auto choose = [](const char* query) {
        std::vector<bridge::Device> devices;
        for (const char* key : {"pump-2", "fan-1", "pump-1", "pump-3"}) {
            devices.push_back({key[0] == 'f' ? "air" : "water", key, at(0ms), at(0ms), 1, {}, "", 0});
        }
        const auto asked = admin::DeviceChoice::of(*admin::QueryString::parse(query));
        REQUIRE(asked);
        auto keys = std::to_string(admin::choose(devices, *asked)) + ":";
        for (const auto& device : devices) keys += " " + device.key;
        return keys;
    };
    CHECK(choose("order=key") == "4: fan-1 pump-1 pump-2 pump-3");
    CHECK(choose("stream=air") == "1: fan-1");
    CHECK(choose("text=mp-&order=key&skip=1&limit=1") == "3: pump-2");
    CHECK(choose("skip=9") == "4:");
    for (const char* query : {"limit=0", "limit=x", "skip=-1", "order=up"}) {
        CAPTURE(query);
        CHECK(!admin::DeviceChoice::of(*admin::QueryString::parse(query)));
    }
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
