// key_table.hpp: a number for each key, in a fixed amount of memory.
//
// For passes over more keys than fit in memory as strings: a slot holds 96 bits of the key's hash instead of the key.
// Two of 500,000 keys share these with a probability below 1e-17; the hash is seeded anew for each table, so nobody can
// choose keys that do. Source of the idea: Kafka's SkimpyOffsetMap, which has 24 bytes a slot.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <vector>

namespace sluice::storage {

class KeyTable {
 public:
    static constexpr std::uint32_t kValueMax = 0xfffffffeU;

    /// @param bytes  of memory at most, 16 a slot; a table takes keys for 4 of 5 slots
    /// @param keys   more won't come: where they need less memory, the table takes less
    explicit KeyTable(std::size_t bytes, std::int64_t keys = std::numeric_limits<std::int64_t>::max());

    /// Sets the key's number. @return false where the key is new and the table is full
    /// @param value  at most kValueMax
    [[nodiscard]] bool put(std::string_view key, std::uint32_t value);
    [[nodiscard]] std::optional<std::uint32_t> find(std::string_view key) const;
    [[nodiscard]] std::size_t size() const { return size_; }

 private:
    struct Slot {
        std::uint64_t hash_high = 0;
        std::uint32_t hash_low = 0;
        std::uint32_t value_plus_one = 0;  // 0: free
    };
    [[nodiscard]] std::size_t slot_of(std::uint64_t hash_high, std::uint32_t hash_low) const;

    const std::uint64_t seed_;
    std::vector<Slot> slots_;
    std::size_t size_ = 0;
};

}  // namespace sluice::storage
