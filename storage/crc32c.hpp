// crc32c.hpp: CRC-32C (Castagnoli), the checksum of Kafka's record batches. ISA-L uses the CPU's instructions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace sluice::storage {

[[nodiscard]] std::uint32_t crc32c(std::span<const std::byte> bytes);

}  // namespace sluice::storage
