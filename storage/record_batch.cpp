#include "storage/record_batch.hpp"

#include "storage/assert.hpp"
#include "storage/compression.hpp"
#include "storage/crc32c.hpp"
#include "storage/record_fields.hpp"
#include "storage/varint.hpp"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

namespace sluice::storage {

namespace {

// Where the fields of the batch header are (docs/log-format.md section 2).
constexpr std::size_t kBaseOffsetAt = 0;
constexpr std::size_t kCrcAt = 17;
constexpr std::size_t kAttributesAt = kBatchChecksumFrom;
constexpr std::size_t kLastOffsetDeltaAt = 23;
constexpr std::size_t kBaseTimestampAt = 27;
constexpr std::size_t kMaxTimestampAt = 35;
constexpr std::size_t kProducerIdAt = 43;
constexpr std::size_t kProducerEpochAt = 51;
constexpr std::size_t kBaseSequenceAt = 53;
constexpr std::size_t kRecordCountAt = 57;
constexpr std::size_t kLengthCountsFrom = 12;
constexpr std::size_t kRecordBytesMin = 7;  // of a record without anything: a byte for each of its fields

std::int64_t millis(Timestamp timestamp) {
    return timestamp.time_since_epoch().count();
}

bool mark_fits(const std::byte* at, Offset base_offset, const BatchMarks& marks) {
    const BatchMark mark{load_big_endian<std::int16_t>(at + kProducerEpochAt),
                         load_big_endian<std::int32_t>(at + kBaseSequenceAt)};
    return marks.fit(base_offset, mark, load_big_endian<std::int64_t>(at + kProducerIdAt) != -1);
}

}  // namespace

std::string_view to_string(Compression compression) {
    switch (compression) {
        case Compression::none:
            return "none";
        case Compression::gzip:
            return "gzip";
        case Compression::snappy:
            return "snappy";
        case Compression::lz4:
            return "lz4";
        case Compression::zstd:
            return "zstd";
    }
    return "unknown";
}

void store_batch_header(std::span<std::byte> batch, const BatchHeader& header, const BatchMarks& marks) {
    SLUICE_ASSERT(header.size_bytes == batch.size());
    auto* at = batch.data();
    store_big_endian<std::int64_t>(at + kBaseOffsetAt, header.base_offset.value());
    store_big_endian<std::int32_t>(at + kBatchLengthAt, static_cast<std::int32_t>(batch.size() - kLengthCountsFrom));
    store_big_endian<std::int32_t>(at + kLengthCountsFrom, 0);  // partition leader epoch
    store_big_endian<std::int8_t>(at + kBatchMagicAt, kBatchMagic);
    store_big_endian<std::uint32_t>(at + kCrcAt, 0);
    store_big_endian<std::uint16_t>(at + kAttributesAt, header.attributes);
    store_big_endian<std::int32_t>(at + kLastOffsetDeltaAt, header.last_offset_delta);
    store_big_endian<std::int64_t>(at + kBaseTimestampAt, millis(header.base_timestamp));
    store_big_endian<std::int64_t>(at + kMaxTimestampAt, millis(header.max_timestamp));
    store_big_endian<std::int64_t>(at + kProducerIdAt, -1);
    const auto mark = marks.of(header.base_offset);
    store_big_endian<std::int16_t>(at + kProducerEpochAt, mark.producer_epoch);
    store_big_endian<std::int32_t>(at + kBaseSequenceAt, mark.base_sequence);
    store_big_endian<std::int32_t>(at + kRecordCountAt, header.record_count);
}

std::uint32_t seal_batch(std::span<std::byte> batch) {
    const auto crc = crc32c(batch.subspan(kAttributesAt));
    store_big_endian<std::uint32_t>(batch.data() + kCrcAt, crc);
    return crc;
}

Result<BatchHeader> decode_batch_header(std::span<const std::byte> bytes) {
    if (bytes.size() < kBatchHeaderBytes) return Error(Errc::corrupt, "batch header is cut off");
    const auto* at = bytes.data();
    const auto length = load_big_endian<std::int32_t>(at + kBatchLengthAt);
    if (load_big_endian<std::int8_t>(at + kBatchMagicAt) != kBatchMagic)
        return Error(Errc::corrupt, "not a v2 record batch");
    if (length < static_cast<std::int32_t>(kBatchHeaderBytes - kLengthCountsFrom) ||
        static_cast<std::size_t>(length) > kBatchBytesMax - kLengthCountsFrom) {
        return Error(Errc::corrupt, "batch length " + std::to_string(length) + " is out of bounds");
    }
    BatchHeader header;
    header.base_offset = Offset(load_big_endian<std::int64_t>(at + kBaseOffsetAt));
    header.size_bytes = static_cast<std::uint32_t>(length) + static_cast<std::uint32_t>(kLengthCountsFrom);
    header.crc = load_big_endian<std::uint32_t>(at + kCrcAt);
    header.attributes = load_big_endian<std::uint16_t>(at + kAttributesAt);
    header.last_offset_delta = load_big_endian<std::int32_t>(at + kLastOffsetDeltaAt);
    header.base_timestamp = Timestamp(std::chrono::milliseconds(load_big_endian<std::int64_t>(at + kBaseTimestampAt)));
    header.max_timestamp = Timestamp(std::chrono::milliseconds(load_big_endian<std::int64_t>(at + kMaxTimestampAt)));
    header.record_count = load_big_endian<std::int32_t>(at + kRecordCountAt);
    constexpr auto kReadMax = std::numeric_limits<std::int64_t>::max() - std::numeric_limits<std::int32_t>::max();
    if (header.base_offset < Offset(0) || header.base_offset >= Offset(kReadMax) || header.last_offset_delta < 0 ||
        header.record_count < 0 || header.record_count > static_cast<std::int64_t>(header.last_offset_delta) + 1) {
        return Error(Errc::corrupt, "batch header has impossible offsets or counts");
    }
    if (static_cast<std::size_t>(header.record_count) > kBatchRecordsMax) {
        return Error(Errc::corrupt, "batch of " + std::to_string(header.record_count) + " records: too many");
    }
    return header;
}

Result<BatchHeader> decode_batch_header(std::span<const std::byte> bytes, const BatchMarks& marks) {
    auto header = decode_batch_header(bytes);
    if (header && !mark_fits(bytes.data(), header->base_offset, marks)) {
        return Error(Errc::corrupt, "base offset is damaged, or the batch is none of this log");
    }
    return header;
}

bool batch_crc_matches(std::span<const std::byte> batch) {
    return batch.size() >= kBatchHeaderBytes &&
           crc32c(batch.subspan(kAttributesAt)) == load_big_endian<std::uint32_t>(batch.data() + kCrcAt);
}

Result<DecodedBatch> DecodedBatch::decode(std::span<const std::byte> batch, DecodedBatch memory) {
    const auto header = decode_batch_header(batch);
    if (!header) return header.error();
    if (header->size_bytes != batch.size()) return Error(Errc::corrupt, "batch is cut off");
    if (!batch_crc_matches(batch)) return Error(Errc::corrupt, "batch checksum does not match");
    DecodedBatch decoded;
    decoded.header_ = *header;
    if (header->is_control()) return decoded;
    decoded.bytes_ = std::move(memory.bytes_);
    decoded.headers_ = std::move(memory.headers_);
    decoded.records_ = std::move(memory.records_);
    decoded.headers_.clear();
    decoded.records_.clear();
    const auto codec = codec_of(*header);
    if (codec > static_cast<int>(Compression::zstd)) {
        return Error(Errc::corrupt, "batch uses codec " + std::to_string(codec) + ", which does not exist");
    }
    const auto body = batch.subspan(kBatchHeaderBytes);
    if (codec == static_cast<int>(Compression::none)) {
        decoded.bytes_.assign(body.begin(), body.end());
    } else if (auto done = decompress(body, static_cast<Compression>(codec), decoded.bytes_); !done) {
        return done.error();
    }
    if (auto done = decoded.parse(decoded.bytes_); !done) return done.error();
    return decoded;
}

Result<DecodedBatch> DecodedBatch::view(std::shared_ptr<const std::vector<std::byte>> batch) {
    const auto header = decode_batch_header(*batch);
    if (!header) return header.error();
    DecodedBatch decoded;
    decoded.header_ = *header;
    decoded.viewed_ = std::move(batch);
    if (auto done = decoded.parse(std::span(*decoded.viewed_).subspan(kBatchHeaderBytes)); !done) return done.error();
    return decoded;
}

Result<void> DecodedBatch::parse(std::span<const std::byte> body) {
    const auto record_count = static_cast<std::size_t>(header_.record_count);
    // Before anything is allocated for them: a header can claim whatever it likes.
    if (record_count > body.size() / kRecordBytesMin) {
        return Error(Errc::corrupt, "batch has fewer bytes than its records take");
    }
    std::vector<std::size_t> header_counts(record_count);
    records_.reserve(record_count);
    auto at_least = header_.base_offset;
    for (std::size_t i = 0; i < record_count; ++i) {
        const auto fields = take_record(body, header_);
        const auto headers = fields ? take_headers(fields->headers, headers_) : std::nullopt;
        if (!headers || fields->record.offset < at_least) {
            return Error(Errc::corrupt, "record " + std::to_string(i) + " of the batch is malformed");
        }
        header_counts[i] = *headers;
        at_least = fields->record.offset + 1;
        records_.push_back(fields->record);
    }
    if (!body.empty()) return Error(Errc::corrupt, "batch has bytes after its last record");
    std::size_t first_header = 0;
    for (std::size_t i = 0; i < record_count; ++i) {
        records_[i].headers = std::span(headers_).subspan(first_header, header_counts[i]);
        first_header += header_counts[i];
    }
    return {};
}

void DecodedBatch::drop_before(Offset offset) {
    while (dropped_ < records_.size() && records_[dropped_].offset < offset) ++dropped_;
}

}  // namespace sluice::storage
