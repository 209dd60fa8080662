#include "models/rules/device_table.hpp"

#include <algorithm>

namespace sluice::models::rules {

DeviceTable::DeviceTable(std::size_t devices_max, std::size_t state_bytes)
    : devices_max_(devices_max), words_(state_bytes / sizeof(std::uint64_t)) {}

DeviceTable::Index DeviceTable::find(std::string_view name) const {
    const auto at = by_name_.find(name);
    return at == by_name_.end() ? kNone : at->second;
}

void DeviceTable::evict() {
    const auto index = oldest_;
    auto& device = entries_[index].device;
    unlink(index);
    by_name_.erase(by_name_.find(device.name));
    Device fresh;
    fresh.block = std::move(device.block);
    device = std::move(fresh);
    free_.push_back(index);
}

DeviceTable::Index DeviceTable::add(std::string_view name) {
    Index index = static_cast<Index>(entries_.size());
    if (free_.empty()) {
        entries_.emplace_back();
        entries_[index].device.block.reset(new std::uint64_t[words_]);
    } else {
        index = free_.back();
        free_.pop_back();
    }
    auto& device = entries_[index].device;
    device.name = name;
    device.serial = next_serial_++;
    std::fill_n(device.block.get(), words_, 0);  // so that equal histories give equal snapshots
    by_name_.emplace(name, index);
    link_youngest(index);
    return index;
}

void DeviceTable::touch(Index index) {
    if (index == youngest_) return;
    unlink(index);
    link_youngest(index);
}

void DeviceTable::unlink(Index index) {
    auto& entry = entries_[index];
    (entry.older == kNone ? oldest_ : entries_[entry.older].younger) = entry.younger;
    (entry.younger == kNone ? youngest_ : entries_[entry.younger].older) = entry.older;
}

void DeviceTable::link_youngest(Index index) {
    auto& entry = entries_[index];
    entry.older = youngest_;
    entry.younger = kNone;
    (youngest_ == kNone ? oldest_ : entries_[youngest_].younger) = index;
    youngest_ = index;
}

}  // namespace sluice::models::rules
