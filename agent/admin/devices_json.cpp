#include "agent/admin/devices_json.hpp"

#include "agent/text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

namespace sluice::agent::admin {

namespace {

constexpr double kMinuteMs = 60'000;
constexpr double kSecondMs = 1000;
constexpr double kHundredth = 100;

double hundredths(double value) {
    return std::round(value * kHundredth) / kHundredth;
}

/// The beginning of a payload: as text where it is that, cut at a whole character.
nlohmann::ordered_json value_json(const bridge::Device& device) {
    if (device.messages == 0 || (device.value.empty() && device.value_bytes == 0)) return nullptr;
    auto text = device.value;
    const bool cut = device.value_bytes > text.size();
    for (int i = 0; cut && i < 3 && !text.empty() && !is_utf8(text); ++i) text.pop_back();
    return is_utf8(text) ? nlohmann::ordered_json(text) : nlohmann::ordered_json("base64:" + base64(device.value));
}

}  // namespace

nlohmann::ordered_json devices_json(std::vector<bridge::Device> devices, storage::Timestamp now) {
    std::sort(devices.begin(), devices.end(), [](const auto& a, const auto& b) {
        return std::tie(a.last, a.stream, a.key) < std::tie(b.last, b.stream, b.key);
    });
    auto all = nlohmann::ordered_json::array();
    for (const auto& device : devices) {
        const auto silent = static_cast<double>(std::max<std::int64_t>(0, (now - device.last).count())) / kSecondMs;
        const bool known = device.interval_ms && *device.interval_ms > 0;
        all.push_back({{"stream", device.stream},
                       {"key", is_utf8(device.key) ? device.key : "base64:" + base64(device.key)},
                       {"first", format_time(device.first)},
                       {"last", format_time(device.last)},
                       {"silent_seconds", hundredths(silent)},
                       {"messages", device.messages},
                       {"per_minute", known ? nlohmann::ordered_json(hundredths(kMinuteMs / *device.interval_ms))
                                            : nlohmann::ordered_json(nullptr)},
                       {"value", value_json(device)},
                       {"value_bytes", device.value_bytes}});
    }
    return all;
}

}  // namespace sluice::agent::admin
