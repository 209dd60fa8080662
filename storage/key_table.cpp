#include "storage/key_table.hpp"

#include "storage/assert.hpp"

#include <xxhash.h>

#include <algorithm>
#include <random>

namespace sluice::storage {

namespace {

constexpr std::size_t kSlotsMin = 16;
constexpr std::size_t kSlotsMax = 0xffff'ffffU;  // for slot_of

std::uint64_t random_seed() {
    std::random_device device;
    return (static_cast<std::uint64_t>(device()) << 32U) | device();
}

/// As many that `keys` are 4 of 5 of them.
std::size_t slots_for(std::int64_t keys) {
    const auto capped = static_cast<std::size_t>(std::min<std::int64_t>(keys, kSlotsMax / 2));
    return capped + capped / 4 + 10;
}

}  // namespace

KeyTable::KeyTable(std::size_t bytes, std::int64_t keys)
    : seed_(random_seed()), slots_(std::clamp(std::min(bytes / sizeof(Slot), slots_for(keys)), kSlotsMin, kSlotsMax)) {}

/// The key's slot, or the free one where it would go: linear probing.
std::size_t KeyTable::slot_of(std::uint64_t hash_high, std::uint32_t hash_low) const {
    // The upper half of a product spreads the hash over any number of slots. Source: Lemire, "Fast Random Integer
    // Generation in an Interval", 2019. In two halves, as a 32-bit machine has no product of 128 bits.
    const std::uint64_t slots = slots_.size();
    const auto low_part = ((hash_high & 0xFFFF'FFFFU) * slots) >> 32U;
    auto at = static_cast<std::size_t>(((hash_high >> 32U) * slots + low_part) >> 32U);
    for (;;) {
        const auto& slot = slots_[at];
        if (slot.value_plus_one == 0 || (slot.hash_high == hash_high && slot.hash_low == hash_low)) return at;
        if (++at == slots_.size()) at = 0;
    }
}

bool KeyTable::put(std::string_view key, std::uint32_t value) {
    SLUICE_ASSERT(value <= kValueMax);
    const auto hash = XXH3_128bits_withSeed(key.data(), key.size(), seed_);
    const auto low = static_cast<std::uint32_t>(hash.low64);
    auto& slot = slots_[slot_of(hash.high64, low)];
    if (slot.value_plus_one == 0) {
        if (size_ >= slots_.size() / 5 * 4) return false;
        ++size_;
    }
    slot = {hash.high64, low, value + 1};
    return true;
}

std::optional<std::uint32_t> KeyTable::find(std::string_view key) const {
    const auto hash = XXH3_128bits_withSeed(key.data(), key.size(), seed_);
    const auto& slot = slots_[slot_of(hash.high64, static_cast<std::uint32_t>(hash.low64))];
    return slot.value_plus_one == 0 ? std::nullopt : std::optional(slot.value_plus_one - 1);
}

}  // namespace sluice::storage
