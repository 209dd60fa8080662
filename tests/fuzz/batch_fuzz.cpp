// Any bytes as a record batch, as they are and with the right checksum; and as the compressed stream of each codec.
#include "storage/compression.hpp"
#include "storage/record_batch.hpp"
#include "storage/varint.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

using namespace sluice::storage;

namespace {

void read_all(const Result<DecodedBatch>& batch) {
    if (!batch) return;
    std::size_t bytes = 0;
    for (const auto& record : batch->records()) {
        bytes += record.to_record().size_bytes();
        if (record.offset > batch->header().last_offset()) __builtin_trap();
    }
    if (bytes > 64 * kBatchBytesMax) __builtin_trap();
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer calls it so
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto input = std::as_bytes(std::span(data, size));
    std::vector<std::byte> batch(input.begin(), input.end());
    read_all(DecodedBatch::decode(batch));
    if (batch.size() >= kBatchHeaderBytes) {
        store_big_endian<std::int32_t>(batch.data() + 8, static_cast<std::int32_t>(batch.size() - 12));
        seal_batch(batch);
        read_all(DecodedBatch::decode(batch));
    }
    for (const auto codec : {Compression::gzip, Compression::snappy, Compression::lz4, Compression::zstd}) {
        std::vector<std::byte> plain;
        if (decompress(input, codec, plain) && plain.size() > kBatchBytesMax) __builtin_trap();
    }
    return 0;
}
