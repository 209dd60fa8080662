// foreign_codecs.hpp: the codecs that other programs write into record batches, and we only read.
#pragma once

#include "storage/result.hpp"

#include <cstddef>
#include <span>
#include <vector>

namespace sluice::storage {

/// Replaces what is in `out`.
/// @return Errc::corrupt where the stream is damaged, cut off, or larger than kBatchBytesMax.
[[nodiscard]] Result<void> decompress_gzip(std::span<const std::byte> bytes, std::vector<std::byte>& out);

/// A raw snappy block (librdkafka), or the framed blocks of snappy-java (Kafka's Java client).
/// @return as above
[[nodiscard]] Result<void> decompress_snappy(std::span<const std::byte> bytes, std::vector<std::byte>& out);

}  // namespace sluice::storage
