// compression.hpp: the codecs of record batches that we write and read.
#pragma once

#include "storage/record_batch.hpp"
#include "storage/result.hpp"

#include <cstddef>
#include <span>
#include <vector>

namespace sluice::storage {

/// Compresses `bytes` as one stream to `out` from `at` on, growing it as needed: an LZ4 frame of independent blocks
/// (the only kind that Kafka's Java reader takes) or a zstd frame. `compression` is one of these two.
/// @return where the stream ends in `out`
[[nodiscard]] Result<std::size_t> compress(std::span<const std::byte> bytes, Compression compression,
                                           std::vector<std::byte>& out, std::size_t at);

/// Replaces what is in `out`.
/// @return Errc::corrupt where the stream is damaged, cut off, or larger than kBatchBytesMax.
[[nodiscard]] Result<void> decompress(std::span<const std::byte> bytes, Compression compression,
                                      std::vector<std::byte>& out);

}  // namespace sluice::storage
