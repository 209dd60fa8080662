#include "bridge/device_registry.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace sluice;
using namespace sluice::bridge;
using namespace std::chrono_literals;

namespace {

storage::Timestamp at(std::chrono::milliseconds time) {
    return storage::Timestamp(time);
}

void send(DeviceRegistry& registry, const std::string& key, std::chrono::milliseconds time,
          const std::string& value = "x", const std::string& stream = "t") {
    storage::Record record;
    record.key = key;
    record.value = value;
    registry.observe(stream, record, at(time));
}

const Device* find(const std::vector<Device>& devices, const std::string& key) {
    const auto found =
        std::find_if(devices.begin(), devices.end(), [&](const Device& device) { return device.key == key; });
    return found == devices.end() ? nullptr : &*found;
}

}  // namespace

TEST_CASE("devices: last value, number, interval and time of each key of each stream") {
    DeviceRegistry registry;
    send(registry, "pump", 1000ms, "1");
    send(registry, "pump", 2000ms, std::string(100, 'v'));
    send(registry, "pump", 1500ms, "3", "other");
    const auto devices = registry.list();
    REQUIRE(devices.size() == 2);
    const auto& pump = devices[0];
    CHECK(pump.stream == "t");
    CHECK(pump.messages == 2);
    CHECK(pump.first == at(1000ms));
    CHECK(pump.last == at(2000ms));
    CHECK(pump.interval_ms == 1000.0);
    CHECK(pump.value == std::string(DeviceRegistry::kValueBytesMax, 'v'));
    CHECK(pump.value_bytes == 100);
    CHECK_FALSE(devices[1].interval_ms);
}

TEST_CASE("devices: the interval follows a change, and no single late message makes it") {
    DeviceRegistry registry;
    auto time = 0ms;
    for (int i = 0; i < 50; ++i) send(registry, "pump", time += 1000ms);
    send(registry, "pump", time += 9000ms);
    CHECK(*registry.list()[0].interval_ms == doctest::Approx(2000));
    for (int i = 0; i < 50; ++i) send(registry, "pump", time += 100ms);
    CHECK(*registry.list()[0].interval_ms < 120);
}

TEST_CASE("devices: a record without a key, or with a very long one, is nobody's") {
    DeviceRegistry registry;
    registry.observe("t", {}, at(1ms));
    send(registry, std::string(DeviceRegistry::kKeyBytesMax + 1, 'k'), 1ms);
    CHECK(registry.list().empty());
    send(registry, std::string(DeviceRegistry::kKeyBytesMax, 'k'), 1ms);
    send(registry, "", 1ms);
    CHECK(registry.list().size() == 2);
}

TEST_CASE("devices: keys that are never seen again don't push out those that send") {
    DeviceRegistry registry(100);
    for (int i = 0; i < 10; ++i) send(registry, "pump-" + std::to_string(i), 0ms);
    for (int i = 1; i <= 10'000; ++i) {
        send(registry, "once-" + std::to_string(i), std::chrono::milliseconds(i));
        send(registry, "pump-" + std::to_string(i % 10), std::chrono::milliseconds(i));
    }
    const auto devices = registry.list();
    CHECK(devices.size() == 100);
    for (int i = 0; i < 10; ++i) CHECK(find(devices, "pump-" + std::to_string(i)) != nullptr);
    CHECK(registry.replaced() == 9910);
    CHECK(find(devices, "once-1") == nullptr);
}

TEST_CASE("devices: what an earlier run knew is there until it is seen") {
    DeviceRegistry registry(2);
    send(registry, "pump", 5000ms, "new");
    registry.restore({"t", "pump", at(1ms), at(2ms), 9, 1.0, "old", 3});
    registry.restore({"t", "valve", at(1ms), at(2ms), 9, 1.0, "", 0});
    registry.restore({"t", "too many", at(1ms), at(2ms), 9, 1.0, "", 0});
    const auto devices = registry.list();
    REQUIRE(devices.size() == 2);
    CHECK(find(devices, "pump")->value == "new");
    send(registry, "valve", 3ms);
    CHECK(find(registry.list(), "valve")->messages == 10);
}
