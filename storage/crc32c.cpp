#include "storage/crc32c.hpp"

#include <isa-l/crc.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>

namespace sluice::storage {

namespace {

/// a * b modulo the polynomial, which is reflected: bit 31 is x^0.
constexpr std::uint32_t multiply(std::uint32_t a, std::uint32_t b) {
    constexpr std::uint32_t kPolynomial = 0x82f63b78U;
    std::uint32_t product = 0;
    for (std::uint32_t bit = 1U << 31U; bit != 0; bit >>= 1U) {
        if ((a & bit) != 0) product ^= b;
        b = (b >> 1U) ^ ((b & 1U) != 0 ? kPolynomial : 0U);
    }
    return product;
}

/// x^(8 * 2^i): what moves a checksum on by 2^i bytes.
constexpr auto kPowers = [] {
    std::array<std::uint32_t, 64> powers{};
    powers[0] = 1U << 23U;
    for (std::size_t i = 1; i < powers.size(); ++i) powers[i] = multiply(powers[i - 1], powers[i - 1]);
    return powers;
}();

}  // namespace

std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t before) {
    constexpr std::size_t kCallBytesMax = std::numeric_limits<int>::max();
    std::uint32_t state = ~before;
    while (!bytes.empty()) {
        const auto part = bytes.first(std::min(bytes.size(), kCallBytesMax));
        // ISA-L takes a non-const pointer but only reads.
        auto* data = const_cast<unsigned char*>(reinterpret_cast<const unsigned char*>(part.data()));
        state = crc32_iscsi(data, static_cast<int>(part.size()), state);
        bytes = bytes.subspan(part.size());
    }
    return ~state;
}

std::uint32_t crc32c_shift(std::uint32_t checksum, std::uint64_t bytes) {
    for (std::size_t i = 0; bytes != 0; ++i, bytes >>= 1U) {
        if ((bytes & 1U) != 0) checksum = multiply(kPowers[i], checksum);
    }
    return checksum;
}

}  // namespace sluice::storage
