#include "agent/device_book.hpp"

#include "agent/text.hpp"

#include <nlohmann/json.hpp>

#include <utility>

namespace sluice::agent {

namespace {

constexpr const char* kNote = "devices";
constexpr auto kSaveInterval = std::chrono::hours(1);

storage::Timestamp timestamp(std::int64_t ms) {
    return storage::Timestamp(std::chrono::milliseconds(ms));
}

}  // namespace

std::string devices_to_text(const std::vector<bridge::Device>& devices) {
    auto all = nlohmann::json::array();
    for (const auto& device : devices) {
        if (!is_utf8(device.key)) continue;
        const auto interval = device.interval_ms ? nlohmann::json(*device.interval_ms) : nlohmann::json(nullptr);
        all.push_back({device.stream, device.key, device.first.time_since_epoch().count(),
                       device.last.time_since_epoch().count(), device.messages, interval});
    }
    return all.dump();
}

std::vector<bridge::Device> devices_from_text(const std::string& text) {
    std::vector<bridge::Device> devices;
    const auto all = nlohmann::json::parse(text, nullptr, false);
    if (!all.is_array()) return devices;
    for (const auto& one : all) {
        const bool good = one.is_array() && one.size() == 6 && one[0].is_string() && one[1].is_string() &&
                          one[2].is_number_integer() && one[3].is_number_integer() && one[4].is_number_unsigned();
        if (!good) continue;
        bridge::Device device{one[0], one[1], timestamp(one[2]), timestamp(one[3]), one[4], {}, {}, 0};
        if (one[5].is_number()) device.interval_ms = one[5].get<double>();
        devices.push_back(std::move(device));
    }
    return devices;
}

DeviceBook::DeviceBook(bridge::DeviceRegistry& devices, storage::Catalog& catalog, bridge::Report report)
    : devices_(devices),
      catalog_(catalog),
      report_(std::move(report)),
      next_save_(std::chrono::steady_clock::now() + kSaveInterval) {
    const auto note = catalog_.note(kNote);
    if (!note || !*note) return;
    for (auto& device : devices_from_text(**note)) devices_.restore(std::move(device));
}

void DeviceBook::tick() {
    if (std::chrono::steady_clock::now() >= next_save_) save();
}

void DeviceBook::save() {
    next_save_ = std::chrono::steady_clock::now() + kSaveInterval;
    const auto devices = devices_.list();
    if (devices.empty()) return;
    if (auto done = catalog_.store_note(kNote, devices_to_text(devices)); !done) {
        report_(bridge::Severity::warning, "agent", "who has sent is not kept: " + done.error().message());
    }
}

}  // namespace sluice::agent
