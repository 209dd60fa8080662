// varint.hpp: zig-zag varints as in Kafka's record format (protocol buffers' sint64), and big-endian integers.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace sluice::storage {

[[nodiscard]] constexpr std::uint64_t zigzag(std::int64_t value) {
    return (static_cast<std::uint64_t>(value) << 1U) ^ static_cast<std::uint64_t>(value >> 63);
}

[[nodiscard]] constexpr std::size_t varint_size(std::int64_t value) {
    return (static_cast<std::size_t>(std::bit_width(zigzag(value) | 1U)) + 6) / 7;
}

inline void put_varint(std::vector<std::byte>& out, std::int64_t value) {
    auto rest = zigzag(value);
    while (rest >= 0x80U) {
        out.push_back(static_cast<std::byte>(rest | 0x80U));
        rest >>= 7U;
    }
    out.push_back(static_cast<std::byte>(rest));
}

/// Takes a varint off the front of `bytes`; nullopt where it is cut off or longer than ten bytes.
[[nodiscard]] inline std::optional<std::int64_t> take_varint(std::span<const std::byte>& bytes) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < bytes.size() && i < 10; ++i) {
        const auto byte = std::to_integer<std::uint64_t>(bytes[i]);
        value |= (byte & 0x7fU) << (7 * i);
        if ((byte & 0x80U) == 0) {
            bytes = bytes.subspan(i + 1);
            return static_cast<std::int64_t>(value >> 1U) ^ -static_cast<std::int64_t>(value & 1U);
        }
    }
    return std::nullopt;
}

template <std::integral T>
void store_big_endian(std::byte* to, T value) {
    auto bits = static_cast<std::make_unsigned_t<T>>(value);
    for (std::size_t i = sizeof(T); i-- > 0;) {
        to[i] = static_cast<std::byte>(bits & 0xffU);
        if constexpr (sizeof(T) > 1) bits = static_cast<std::make_unsigned_t<T>>(bits >> 8U);
    }
}

template <std::integral T>
[[nodiscard]] T load_big_endian(const std::byte* from) {
    std::make_unsigned_t<T> bits = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i) {
        if constexpr (sizeof(T) > 1) bits = static_cast<std::make_unsigned_t<T>>(bits << 8U);
        bits = static_cast<std::make_unsigned_t<T>>(bits | std::to_integer<std::make_unsigned_t<T>>(from[i]));
    }
    return static_cast<T>(bits);
}

}  // namespace sluice::storage
