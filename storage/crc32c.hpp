// crc32c.hpp: CRC-32C (Castagnoli), the checksum of Kafka's record batches. ISA-L uses the CPU's instructions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace sluice::storage {

/// @param before  the checksum of what comes before `bytes`: the result is that of both
[[nodiscard]] std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t before = 0);

/// What a checksum adds to that of something that ends `bytes` later: of two pieces A and B,
/// crc32c(AB) == crc32c_shift(crc32c(A), size of B) ^ crc32c(B). So the checksum of B follows from those of A and AB.
/// Source: zlib's crc32_combine().
[[nodiscard]] std::uint32_t crc32c_shift(std::uint32_t checksum, std::uint64_t bytes);

}  // namespace sluice::storage
