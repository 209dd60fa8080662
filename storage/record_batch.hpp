// record_batch.hpp: Kafka's record batch, format v2 (magic 2): build, verify, iterate.
//
// Why Kafka's own format: tools that others wrote check our files, and a carried disk is readable anywhere.
// Sources: KIP-98, KIP-110; docs/log-format.md section 2 has the byte table.
#pragma once

#include "storage/record.hpp"
#include "storage/result.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::storage {

enum class Compression : std::uint8_t { none = 0, lz4 = 3, zstd = 4 };  // the codec ids of the batch attributes

[[nodiscard]] std::string_view to_string(Compression compression);

inline constexpr std::size_t kBatchHeaderBytes = 61;
/// No batch that we write or accept is larger: a length field beyond it is damage, not data.
inline constexpr std::size_t kBatchBytesMax = 64U << 20U;
/// A record larger than this is refused before it is queued. Leaves room for a batch of one with headers.
inline constexpr std::size_t kRecordBytesMax = 32U << 20U;

/// The fixed fields at the start of a batch that reading and recovery decide by.
struct BatchHeader {
    Offset base_offset;
    std::uint32_t size_bytes = 0;  ///< the whole batch: 12 + its length field
    std::uint32_t crc = 0;
    std::uint16_t attributes = 0;
    std::int32_t last_offset_delta = 0;
    Timestamp base_timestamp{};
    Timestamp max_timestamp{};
    std::int32_t record_count = 0;

    [[nodiscard]] Offset last_offset() const { return base_offset + last_offset_delta; }
    [[nodiscard]] Offset next_offset() const { return base_offset + last_offset_delta + 1; }
    [[nodiscard]] bool is_control() const { return (attributes & 0x20U) != 0; }
};

/// Encodes `records` (at least one, at most 2^31-1 offsets) as one batch that starts at `base_offset`. Where
/// compressing doesn't make the batch smaller it is left uncompressed.
/// @return Errc::invalid where the batch would be larger than kBatchBytesMax.
[[nodiscard]] Result<std::vector<std::byte>> encode_batch(Offset base_offset, std::span<const Record> records,
                                                          Compression compression);

/// Reads and checks the fixed fields: magic, length bounds, counts. Does not look at the CRC.
/// @param bytes  at least kBatchHeaderBytes, else Errc::corrupt
[[nodiscard]] Result<BatchHeader> decode_batch_header(std::span<const std::byte> bytes);

/// Whether the CRC-32C over byte 21 to the end is the one in the header. `batch` is exactly one batch.
[[nodiscard]] bool batch_crc_matches(std::span<const std::byte> batch);

/// A verified batch, decompressed, with its records. Moving it keeps the views valid; it can't be copied.
class DecodedBatch {
 public:
    /// Verifies the CRC, decompresses, and parses every record.
    /// @return Errc::corrupt with what is wrong; control batches decode to no records.
    [[nodiscard]] static Result<DecodedBatch> decode(std::vector<std::byte> batch);

    DecodedBatch(DecodedBatch&&) noexcept = default;
    DecodedBatch& operator=(DecodedBatch&&) noexcept = default;
    DecodedBatch(const DecodedBatch&) = delete;
    DecodedBatch& operator=(const DecodedBatch&) = delete;
    ~DecodedBatch() = default;

    [[nodiscard]] const BatchHeader& header() const { return header_; }
    [[nodiscard]] const std::vector<RecordView>& records() const { return records_; }
    /// Drops the records before `offset`.
    void drop_before(Offset offset);

 private:
    DecodedBatch() = default;

    BatchHeader header_;
    std::vector<std::byte> batch_;         // the bytes as on disk
    std::vector<std::byte> decompressed_;  // empty for an uncompressed batch
    std::vector<HeaderView> headers_;      // of all records, in order
    std::vector<RecordView> records_;      // views into the three above
};

}  // namespace sluice::storage
