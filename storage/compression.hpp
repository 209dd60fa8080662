// compression.hpp: the codecs of record batches that we write and read.
#pragma once

#include "storage/record_batch.hpp"
#include "storage/result.hpp"

#include <cstddef>
#include <span>
#include <vector>

namespace sluice::storage {

/// Compresses `bytes` as one stream: an LZ4 frame of independent blocks (the only kind that Kafka's Java reader
/// takes) or a zstd frame. `compression` is not none.
[[nodiscard]] Result<std::vector<std::byte>> compress(std::span<const std::byte> bytes, Compression compression);

/// @return Errc::corrupt where the stream is damaged, cut off, or larger than kBatchBytesMax.
[[nodiscard]] Result<std::vector<std::byte>> decompress(std::span<const std::byte> bytes, Compression compression);

}  // namespace sluice::storage
