#include "storage/key_table.hpp"

#include "storage/assert.hpp"

#include <xxhash.h>

#include <algorithm>
#include <random>

namespace sluice::storage {

namespace {

constexpr std::size_t kSlotsMin = 16;

std::uint64_t random_seed() {
    std::random_device device;
    return (static_cast<std::uint64_t>(device()) << 32U) | device();
}

}  // namespace

KeyTable::KeyTable(std::size_t bytes) : seed_(random_seed()), slots_(std::max(bytes / sizeof(Slot), kSlotsMin)) {}

/// The key's slot, or the free one where it would go: linear probing.
std::size_t KeyTable::slot_of(std::uint64_t hash_high, std::uint32_t hash_low) const {
    // The upper half of a product spreads the hash over any number of slots. Source: Lemire, "Fast Random Integer
    // Generation in an Interval", 2019.
    __extension__ using Product = unsigned __int128;
    auto at = static_cast<std::size_t>((static_cast<Product>(hash_high) * slots_.size()) >> 64U);
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
