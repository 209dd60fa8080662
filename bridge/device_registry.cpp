#include "bridge/device_registry.hpp"

#include <algorithm>
#include <utility>

namespace sluice::bridge {

namespace {

constexpr std::size_t kCandidates = 8;
constexpr double kWeightOfNew = 1.0 / 8;

}  // namespace

void DeviceRegistry::observe(const std::string& stream, const storage::Record& record, storage::Timestamp arrived) {
    if (!record.key || record.key->size() > kKeyBytesMax) return;
    const std::lock_guard lock(mutex_);
    auto* device = find(stream, *record.key);
    if (device == nullptr) device = &add({stream, *record.key, arrived, arrived, 0, {}, {}, 0});
    if (device->messages > 0) {
        const auto gap = static_cast<double>(std::max<std::int64_t>(0, (arrived - device->last).count()));
        device->interval_ms =
            device->interval_ms ? *device->interval_ms + (gap - *device->interval_ms) * kWeightOfNew : gap;
    }
    device->last = arrived;
    ++device->messages;
    const auto value = record.value ? std::string_view(*record.value) : std::string_view();
    device->value = value.substr(0, kValueBytesMax);
    device->value_bytes = value.size();
}

void DeviceRegistry::restore(Device device) {
    const std::lock_guard lock(mutex_);
    if (find(device.stream, device.key) == nullptr && devices_.size() < devices_max_) add(std::move(device));
}

std::vector<Device> DeviceRegistry::list() const {
    const std::lock_guard lock(mutex_);
    std::vector<Device> all;
    all.reserve(devices_.size());
    for (const auto& device : devices_) all.push_back(*device);
    return all;
}

std::uint64_t DeviceRegistry::replaced() const {
    const std::lock_guard lock(mutex_);
    return replaced_;
}

Device* DeviceRegistry::find(const std::string& stream, const std::string& key) {
    const auto found = index_.find({stream, key});
    return found == index_.end() ? nullptr : devices_[found->second].get();
}

Device& DeviceRegistry::add(Device device) {
    auto fresh = std::make_unique<Device>(std::move(device));
    std::size_t at = devices_.size();
    if (at < devices_max_) {
        devices_.push_back(std::move(fresh));
    } else {
        // Far from each other: those that came together often send together.
        const auto stride = devices_.size() / kCandidates + 1;
        at = next_;
        for (std::size_t i = 0; i < kCandidates; ++i) {
            const auto candidate = (next_ + i * stride) % devices_.size();
            if (devices_[candidate]->last < devices_[at]->last) at = candidate;
        }
        next_ = (next_ + 1) % devices_.size();
        index_.erase({devices_[at]->stream, devices_[at]->key});
        devices_[at] = std::move(fresh);
        ++replaced_;
    }
    auto& added = *devices_[at];
    index_.emplace(Name{added.stream, added.key}, at);
    return added;
}

}  // namespace sluice::bridge
