#include "storage/record_batch.hpp"

#include "storage/assert.hpp"
#include "storage/compression.hpp"
#include "storage/crc32c.hpp"
#include "storage/varint.hpp"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

namespace sluice::storage {

namespace {

// Where the fields of the batch header are (docs/log-format.md section 2).
constexpr std::size_t kBaseOffsetAt = 0;
constexpr std::size_t kLengthAt = 8;
constexpr std::size_t kMagicAt = 16;
constexpr std::size_t kCrcAt = 17;
constexpr std::size_t kAttributesAt = 21;  // the CRC covers from here to the end
constexpr std::size_t kLastOffsetDeltaAt = 23;
constexpr std::size_t kBaseTimestampAt = 27;
constexpr std::size_t kMaxTimestampAt = 35;
constexpr std::size_t kProducerIdAt = 43;
constexpr std::size_t kProducerEpochAt = 51;
constexpr std::size_t kBaseSequenceAt = 53;
constexpr std::size_t kRecordCountAt = 57;
constexpr std::size_t kLengthCountsFrom = 12;
constexpr std::int8_t kMagic = 2;
constexpr std::uint16_t kCodecMask = 0x07;

/// a - b, defined for every pair: a device may claim any time.
std::int64_t difference(std::int64_t a, std::int64_t b) {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b));
}
std::int64_t sum(std::int64_t a, std::int64_t b) {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}

std::int64_t millis(Timestamp timestamp) {
    return timestamp.time_since_epoch().count();
}

void put_bytes(std::vector<std::byte>& out, std::string_view text) {
    const auto bytes = std::as_bytes(std::span(text));
    out.insert(out.end(), bytes.begin(), bytes.end());
}

std::size_t nullable_size(const std::optional<std::string>& text) {
    return text ? varint_size(static_cast<std::int64_t>(text->size())) + text->size() : varint_size(-1);
}

void put_nullable(std::vector<std::byte>& out, const std::optional<std::string>& text) {
    put_varint(out, text ? static_cast<std::int64_t>(text->size()) : -1);
    if (text) put_bytes(out, *text);
}

void put_record(std::vector<std::byte>& out, const Record& record, std::int64_t timestamp_delta,
                std::int64_t offset_delta) {
    const auto header_count = static_cast<std::int64_t>(record.headers.size());
    std::size_t length = 1 + varint_size(timestamp_delta) + varint_size(offset_delta) + nullable_size(record.key) +
                         nullable_size(record.value) + varint_size(header_count);
    for (const auto& header : record.headers) {
        length +=
            varint_size(static_cast<std::int64_t>(header.key.size())) + header.key.size() + nullable_size(header.value);
    }
    put_varint(out, static_cast<std::int64_t>(length));
    out.push_back(std::byte{0});  // record attributes: none are defined
    put_varint(out, timestamp_delta);
    put_varint(out, offset_delta);
    put_nullable(out, record.key);
    put_nullable(out, record.value);
    put_varint(out, header_count);
    for (const auto& header : record.headers) {
        put_varint(out, static_cast<std::int64_t>(header.key.size()));
        put_bytes(out, header.key);
        put_nullable(out, header.value);
    }
}

/// Takes a length-prefixed byte string off the front; the inner optional is null for length -1.
std::optional<std::optional<std::string_view>> take_nullable(std::span<const std::byte>& bytes) {
    const auto length = take_varint(bytes);
    if (!length || *length < -1) return std::nullopt;
    if (*length == -1) return std::optional<std::string_view>();
    const auto size = static_cast<std::uint64_t>(*length);
    if (size > bytes.size()) return std::nullopt;
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), static_cast<std::size_t>(size));
    bytes = bytes.subspan(static_cast<std::size_t>(size));
    return std::optional(text);
}

std::optional<std::size_t> take_headers(std::span<const std::byte>& bytes, std::vector<HeaderView>& headers) {
    const auto count = take_varint(bytes);
    if (!count || *count < 0 || static_cast<std::uint64_t>(*count) > bytes.size()) return std::nullopt;
    for (std::int64_t i = 0; i < *count; ++i) {
        const auto key = take_nullable(bytes);
        if (!key || !*key) return std::nullopt;
        const auto value = take_nullable(bytes);
        if (!value) return std::nullopt;
        headers.push_back({**key, *value});
    }
    return static_cast<std::size_t>(*count);
}

/// Takes one record off the front of `bytes`. Its headers are appended to `headers`; their number goes to `count`,
/// as views into the vector can be made only when it has stopped growing.
std::optional<RecordView> take_record(std::span<const std::byte>& bytes, const BatchHeader& batch,
                                      std::vector<HeaderView>& headers, std::size_t& count) {
    const auto length = take_varint(bytes);
    if (!length || *length < 1 || static_cast<std::uint64_t>(*length) > bytes.size()) return std::nullopt;
    auto body = bytes.first(static_cast<std::size_t>(*length)).subspan(1);
    bytes = bytes.subspan(static_cast<std::size_t>(*length));
    const auto timestamp_delta = take_varint(body);
    const auto offset_delta = timestamp_delta ? take_varint(body) : std::nullopt;
    if (!offset_delta || *offset_delta < 0 || *offset_delta > batch.last_offset_delta) return std::nullopt;
    const auto key = take_nullable(body);
    const auto value = key ? take_nullable(body) : std::nullopt;
    const auto header_count = value ? take_headers(body, headers) : std::nullopt;
    if (!header_count || !body.empty()) return std::nullopt;
    count = *header_count;
    RecordView record;
    record.offset = batch.base_offset + *offset_delta;
    record.timestamp = Timestamp(std::chrono::milliseconds(sum(millis(batch.base_timestamp), *timestamp_delta)));
    record.key = *key;
    record.value = *value;
    return record;
}

void store_header(std::vector<std::byte>& batch, const BatchHeader& header) {
    auto* at = batch.data();
    store_big_endian<std::int64_t>(at + kBaseOffsetAt, header.base_offset.value());
    store_big_endian<std::int32_t>(at + kLengthAt, static_cast<std::int32_t>(batch.size() - kLengthCountsFrom));
    store_big_endian<std::int32_t>(at + kLengthCountsFrom, 0);  // partition leader epoch
    store_big_endian<std::int8_t>(at + kMagicAt, kMagic);
    store_big_endian<std::uint16_t>(at + kAttributesAt, header.attributes);
    store_big_endian<std::int32_t>(at + kLastOffsetDeltaAt, header.last_offset_delta);
    store_big_endian<std::int64_t>(at + kBaseTimestampAt, millis(header.base_timestamp));
    store_big_endian<std::int64_t>(at + kMaxTimestampAt, millis(header.max_timestamp));
    store_big_endian<std::int64_t>(at + kProducerIdAt, -1);
    store_big_endian<std::int16_t>(at + kProducerEpochAt, -1);
    store_big_endian<std::int32_t>(at + kBaseSequenceAt, -1);
    store_big_endian<std::int32_t>(at + kRecordCountAt, header.record_count);
    store_big_endian<std::uint32_t>(at + kCrcAt, crc32c(std::span(batch).subspan(kAttributesAt)));
}

/// Replaces the records after the header by their compressed form, where that is smaller.
Result<void> compress_records(std::vector<std::byte>& batch, BatchHeader& header, Compression compression) {
    if (compression == Compression::none) return {};
    auto packed = compress(std::span<const std::byte>(batch).subspan(kBatchHeaderBytes), compression);
    if (!packed) return packed.error();
    if (packed->size() >= batch.size() - kBatchHeaderBytes) return {};
    batch.resize(kBatchHeaderBytes);
    batch.insert(batch.end(), packed->begin(), packed->end());
    header.attributes = static_cast<std::uint16_t>(compression);
    return {};
}

}  // namespace

std::string_view to_string(Compression compression) {
    switch (compression) {
        case Compression::none:
            return "none";
        case Compression::lz4:
            return "lz4";
        case Compression::zstd:
            return "zstd";
    }
    return "unknown";
}

Result<std::vector<std::byte>> encode_batch(Offset base_offset, std::span<const Record> records,
                                            Compression compression) {
    SLUICE_ASSERT(!records.empty());
    SLUICE_ASSERT(records.size() <= static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()));
    BatchHeader header;
    header.base_offset = base_offset;
    header.last_offset_delta = static_cast<std::int32_t>(records.size() - 1);
    header.record_count = static_cast<std::int32_t>(records.size());
    header.base_timestamp = header.max_timestamp = records.front().timestamp;

    std::size_t expected = kBatchHeaderBytes;
    for (const auto& record : records) expected += record.size_bytes() + 8;
    if (expected > kBatchBytesMax) return Error(Errc::invalid, "batch of more than 64 MiB");
    std::vector<std::byte> batch;
    batch.reserve(expected);
    batch.resize(kBatchHeaderBytes);
    std::int64_t offset_delta = 0;
    for (const auto& record : records) {
        header.max_timestamp = std::max(header.max_timestamp, record.timestamp);
        put_record(batch, record, difference(millis(record.timestamp), millis(header.base_timestamp)), offset_delta++);
    }
    if (auto done = compress_records(batch, header, compression); !done) return done.error();
    if (batch.size() > kBatchBytesMax) return Error(Errc::invalid, "batch of more than 64 MiB");
    store_header(batch, header);
    return batch;
}

Result<BatchHeader> decode_batch_header(std::span<const std::byte> bytes) {
    if (bytes.size() < kBatchHeaderBytes) return Error(Errc::corrupt, "batch header is cut off");
    const auto* at = bytes.data();
    const auto length = load_big_endian<std::int32_t>(at + kLengthAt);
    if (load_big_endian<std::int8_t>(at + kMagicAt) != kMagic) return Error(Errc::corrupt, "not a v2 record batch");
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
    constexpr auto kOffsetMax = std::numeric_limits<std::int64_t>::max() - std::numeric_limits<std::int32_t>::max();
    if (header.base_offset < Offset(0) || header.base_offset >= Offset(kOffsetMax) || header.last_offset_delta < 0 ||
        header.record_count < 0 || header.record_count > static_cast<std::int64_t>(header.last_offset_delta) + 1) {
        return Error(Errc::corrupt, "batch header has impossible offsets or counts");
    }
    return header;
}

bool batch_crc_matches(std::span<const std::byte> batch) {
    return batch.size() >= kBatchHeaderBytes &&
           crc32c(batch.subspan(kAttributesAt)) == load_big_endian<std::uint32_t>(batch.data() + kCrcAt);
}

Result<DecodedBatch> DecodedBatch::decode(std::vector<std::byte> batch) {
    auto header = decode_batch_header(batch);
    if (!header) return header.error();
    if (header->size_bytes != batch.size()) return Error(Errc::corrupt, "batch is cut off");
    if (!batch_crc_matches(batch)) return Error(Errc::corrupt, "batch checksum does not match");
    DecodedBatch decoded;
    decoded.header_ = *header;
    decoded.batch_ = std::move(batch);
    if (header->is_control()) return decoded;

    auto body = std::span<const std::byte>(decoded.batch_).subspan(kBatchHeaderBytes);
    const auto codec = header->attributes & kCodecMask;
    if (codec != 0) {
        if (codec != static_cast<int>(Compression::lz4) && codec != static_cast<int>(Compression::zstd)) {
            return Error(Errc::corrupt, "batch uses codec " + std::to_string(codec) + ", which is not read here");
        }
        auto plain = decompress(body, static_cast<Compression>(codec));
        if (!plain) return plain.error();
        decoded.decompressed_ = std::move(*plain);
        body = decoded.decompressed_;
    }

    const auto record_count = static_cast<std::size_t>(header->record_count);
    if (record_count > body.size()) return Error(Errc::corrupt, "batch has fewer bytes than records");
    std::vector<std::size_t> header_counts(record_count);
    decoded.records_.reserve(record_count);
    for (std::size_t i = 0; i < record_count; ++i) {
        auto record = take_record(body, *header, decoded.headers_, header_counts[i]);
        if (!record) return Error(Errc::corrupt, "record " + std::to_string(i) + " of the batch is malformed");
        decoded.records_.push_back(*record);
    }
    if (!body.empty()) return Error(Errc::corrupt, "batch has bytes after its last record");
    std::size_t first_header = 0;
    for (std::size_t i = 0; i < record_count; ++i) {
        decoded.records_[i].headers = std::span(decoded.headers_).subspan(first_header, header_counts[i]);
        first_header += header_counts[i];
    }
    return decoded;
}

void DecodedBatch::drop_before(Offset offset) {
    const auto keep = std::find_if(records_.begin(), records_.end(),
                                   [&](const RecordView& record) { return record.offset >= offset; });
    records_.erase(records_.begin(), keep);
}

}  // namespace sluice::storage
