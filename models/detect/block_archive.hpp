// block_archive.hpp: the fields of a detector to a block of bytes of fixed size and back, fast: as they are in memory.
//
// A device's memory in the rules is one flat block (stateful_function.hpp), from which a detector is made for a record
// and to which it goes back. Invariant: no padding and no pointers are in the block.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace sluice::models {

class BlockArchive {
 public:
    enum class Way : std::uint8_t { count, store, load };
    BlockArchive(Way way, std::byte* block) : way_(way), at_(block) {}

    template <class... Fields>
    void operator()(Fields&... fields) {
        (one(fields), ...);
    }
    [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
    template <class T>
    void one(T& field) {
        if constexpr (requires { field.archive(*this); }) {
            field.archive(*this);
        } else if constexpr (std::is_arithmetic_v<T>) {
            copy(&field, sizeof field);
        } else if constexpr (std::is_arithmetic_v<typename T::value_type>) {
            copy(field.data(), field.size() * sizeof(typename T::value_type));
        } else {
            for (auto& item : field) one(item);
        }
    }
    void copy(void* field, std::size_t size) {
        bytes_ += size;
        if (way_ == Way::count) return;
        if (way_ == Way::store)
            std::memcpy(at_, field, size);
        else
            std::memcpy(field, at_, size);
        at_ += size;
    }

    Way way_;
    std::byte* at_;
    std::size_t bytes_ = 0;
};

}  // namespace sluice::models
