// record_batch.hpp: Kafka's record batch, format v2 (magic 2): build, verify, iterate.
//
// Why Kafka's own format: tools that others wrote check our files, and a carried disk is readable anywhere.
// Sources: KIP-98, KIP-110; docs/log-format.md section 2 has the byte table.
#pragma once

#include "storage/batch_marks.hpp"
#include "storage/record.hpp"
#include "storage/result.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::storage {

/// The codec ids of the batch attributes. gzip and snappy are only read: other programs write them.
enum class Compression : std::uint8_t { none = 0, gzip = 1, snappy = 2, lz4 = 3, zstd = 4 };

[[nodiscard]] std::string_view to_string(Compression compression);

inline constexpr std::size_t kBatchHeaderBytes = 61;
inline constexpr std::size_t kBatchLengthAt = 8;  ///< counts from behind itself
inline constexpr std::size_t kBatchMagicAt = 16;
inline constexpr std::int8_t kBatchMagic = 2;
inline constexpr std::size_t kBatchChecksumFrom = 21;  ///< the checksum covers from here to the end
/// No batch that we write or accept is larger: a length field beyond it is damage, not data.
inline constexpr std::size_t kBatchBytesMax = 64U << 20U;
/// A record larger than this is refused before it is queued. Leaves room for a batch of one with headers.
inline constexpr std::size_t kRecordBytesMax = 32U << 20U;
/// The same for its headers, and for all records and headers of a batch: a view of one takes far more memory than its
/// bytes, and a few KiB can hold millions of them compressed. What we write stays far below: a commit writes 1 MiB.
inline constexpr std::size_t kRecordHeadersMax = 1U << 16U;
inline constexpr std::size_t kBatchRecordsMax = 1U << 20U;
inline constexpr std::size_t kBatchHeadersMax = 1U << 20U;

/// The base timestamp is the delete horizon (KIP-534).
inline constexpr std::uint16_t kDeleteHorizonAttribute = 0x40;

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
    [[nodiscard]] bool is_transactional() const { return (attributes & 0x10U) != 0; }
    [[nodiscard]] bool is_control() const { return (attributes & 0x20U) != 0; }
    /// When the tombstones of the batch may go, once the cleaner has met them.
    [[nodiscard]] std::optional<Timestamp> delete_horizon() const {
        if ((attributes & kDeleteHorizonAttribute) == 0) return std::nullopt;
        return base_timestamp;
    }
};

/// Writes `header` to the front of `batch`, which is exactly one batch of header.size_bytes; checksum 0.
void store_batch_header(std::span<std::byte> batch, const BatchHeader& header, const BatchMarks& marks);
/// Puts the checksum on, and returns it.
std::uint32_t seal_batch(std::span<std::byte> batch);

/// Reads and checks the fixed fields: magic, length bounds, counts. Does not look at the CRC, nor at the mark: for
/// batches that were never on a disk.
/// @param bytes  at least kBatchHeaderBytes, else Errc::corrupt
[[nodiscard]] Result<BatchHeader> decode_batch_header(std::span<const std::byte> bytes);
/// Likewise, and the mark.
[[nodiscard]] Result<BatchHeader> decode_batch_header(std::span<const std::byte> bytes, const BatchMarks& marks);

/// Whether the CRC-32C over byte 21 to the end is the one in the header. `batch` is exactly one batch.
[[nodiscard]] bool batch_crc_matches(std::span<const std::byte> batch);

/// A verified batch, decompressed, with its records. Moving it keeps the views valid; it can't be copied.
class DecodedBatch {
 public:
    /// Verifies the CRC, decompresses or copies, and parses every record. The mark is the caller's to look at.
    /// @return Errc::corrupt with what is wrong; control batches decode to no records.
    /// @param memory  a batch that is no longer needed: what it has allocated is used again
    [[nodiscard]] static Result<DecodedBatch> decode(std::span<const std::byte> batch, DecodedBatch memory);
    [[nodiscard]] static Result<DecodedBatch> decode(std::span<const std::byte> batch) { return decode(batch, {}); }
    /// Views a batch of our own that is still in memory: uncompressed, and its checksum not looked at.
    [[nodiscard]] static Result<DecodedBatch> view(std::shared_ptr<const std::vector<std::byte>> batch);

    DecodedBatch() = default;  ///< without records
    DecodedBatch(DecodedBatch&&) noexcept = default;
    DecodedBatch& operator=(DecodedBatch&&) noexcept = default;
    DecodedBatch(const DecodedBatch&) = delete;
    DecodedBatch& operator=(const DecodedBatch&) = delete;
    ~DecodedBatch() = default;

    [[nodiscard]] const BatchHeader& header() const { return header_; }
    [[nodiscard]] std::span<const RecordView> records() const { return std::span(records_).subspan(dropped_); }
    /// Drops the records before `offset`.
    void drop_before(Offset offset);

 private:
    [[nodiscard]] Result<void> parse(std::span<const std::byte> body);

    BatchHeader header_;
    std::vector<std::byte> bytes_;                          // what the views below point into …
    std::shared_ptr<const std::vector<std::byte>> viewed_;  // … or that
    std::vector<HeaderView> headers_;                       // of all records, in order
    std::vector<RecordView> records_;
    std::size_t dropped_ = 0;  // records before it are not shown
};

}  // namespace sluice::storage
