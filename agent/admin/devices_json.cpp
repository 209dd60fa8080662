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

std::optional<DeviceChoice> DeviceChoice::of(const QueryString& asked) {
    constexpr std::int64_t kMost = bridge::DeviceRegistry::kDevicesMax;
    const auto limit = asked.number("limit", 1, kMost, kMost);
    const auto skip = asked.number("skip", 0, kMost, 0);
    const auto order = asked.find("order").value_or("silent");
    if (!limit || !skip || (order != "silent" && order != "key")) return std::nullopt;
    return DeviceChoice{asked.find("stream").value_or(""), asked.find("text").value_or(""),
                        order == "key" ? Order::key : Order::silent, static_cast<std::size_t>(*skip),
                        static_cast<std::size_t>(*limit)};
}

std::size_t choose(std::vector<bridge::Device>& devices, const DeviceChoice& choice) {
    const auto unwanted = [&](const bridge::Device& device) {
        return (!choice.stream.empty() && device.stream != choice.stream) ||
               device.key.find(choice.text) == std::string::npos;
    };
    devices.erase(std::remove_if(devices.begin(), devices.end(), unwanted), devices.end());
    std::sort(devices.begin(), devices.end(), [&](const auto& a, const auto& b) {
        if (choice.order == DeviceChoice::Order::key) return std::tie(a.stream, a.key) < std::tie(b.stream, b.key);
        return std::tie(a.last, a.stream, a.key) < std::tie(b.last, b.stream, b.key);
    });
    const auto found = devices.size();
    devices.erase(devices.begin(), devices.begin() + static_cast<std::ptrdiff_t>(std::min(found, choice.skip)));
    if (devices.size() > choice.limit) devices.resize(choice.limit);
    return found;
}

nlohmann::ordered_json devices_json(const std::vector<bridge::Device>& devices, storage::Timestamp now) {
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
