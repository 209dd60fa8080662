#include "storage/batch_builder.hpp"

#include "storage/assert.hpp"
#include "storage/compression.hpp"
#include "storage/varint.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <string_view>

namespace sluice::storage {

namespace {

constexpr std::size_t kKeptBytesMax = 2U << 20U;
constexpr std::size_t kVarintBytesMax = 10;

std::byte* write_varint(std::byte* at, std::int64_t value) {
    auto rest = zigzag(value);
    while (rest >= 0x80U) {
        *at++ = static_cast<std::byte>(rest | 0x80U);
        rest >>= 7U;
    }
    *at++ = static_cast<std::byte>(rest);
    return at;
}

std::byte* write_bytes(std::byte* at, std::string_view bytes) {
    if (!bytes.empty()) std::memcpy(at, bytes.data(), bytes.size());
    return at + bytes.size();
}

template <class Text>
std::size_t nullable_size(const std::optional<Text>& text) {
    return text ? varint_size(static_cast<std::int64_t>(text->size())) + text->size() : varint_size(-1);
}

template <class Text>
std::byte* write_nullable(std::byte* at, const std::optional<Text>& text) {
    at = write_varint(at, text ? static_cast<std::int64_t>(text->size()) : -1);
    return text ? write_bytes(at, *text) : at;
}

}  // namespace

template <class R>
void BatchBuilder::put(std::int32_t offset_delta, const R& record) {
    SLUICE_ASSERT(offset_delta >= next_delta_);
    if (!base_timestamp_) base_timestamp_ = record.timestamp;
    max_timestamp_ = record_count_ == 0 ? record.timestamp : std::max(max_timestamp_, record.timestamp);
    const auto timestamp_delta = timestamp_difference(record.timestamp, *base_timestamp_);
    const auto header_count = static_cast<std::int64_t>(record.headers.size());
    std::size_t length = 1 + varint_size(timestamp_delta) + varint_size(offset_delta) + nullable_size(record.key) +
                         nullable_size(record.value) + varint_size(header_count);
    for (const auto& header : record.headers) {
        length +=
            varint_size(static_cast<std::int64_t>(header.key.size())) + header.key.size() + nullable_size(header.value);
    }
    const auto needed = used_ + kVarintBytesMax + length;
    if (needed > buffer_.size()) buffer_.resize(std::max(needed, 2 * buffer_.size()));

    auto* at = write_varint(buffer_.data() + used_, static_cast<std::int64_t>(length));
    *at++ = std::byte{0};  // record attributes: none are defined
    at = write_varint(at, timestamp_delta);
    at = write_varint(at, offset_delta);
    at = write_nullable(at, record.key);
    at = write_nullable(at, record.value);
    at = write_varint(at, header_count);
    for (const auto& header : record.headers) {
        at = write_varint(at, static_cast<std::int64_t>(header.key.size()));
        at = write_bytes(at, header.key);
        at = write_nullable(at, header.value);
    }
    used_ = static_cast<std::size_t>(at - buffer_.data());
    ++record_count_;
    next_delta_ = offset_delta + 1;
}

void BatchBuilder::add(const Record& record) {
    put(next_delta_, record);
}

void BatchBuilder::add_at(std::int32_t offset_delta, const RecordView& record) {
    put(offset_delta, record);
}

void BatchBuilder::set_delete_horizon(Timestamp horizon) {
    SLUICE_ASSERT(empty());
    base_timestamp_ = horizon;
    attributes_ |= kDeleteHorizonAttribute;
}

Result<EncodedBatch> BatchBuilder::finish(Offset base_offset, Compression compression, const BatchMarks& marks,
                                          std::optional<std::int32_t> last_delta) {
    SLUICE_ASSERT(!empty());
    if (used_ > kBatchBytesMax) return Error(Errc::invalid, "batch of more than 64 MiB");
    if (base_offset > Offset(kOffsetMax)) {
        return Error(Errc::invalid, "offset " + std::to_string(base_offset.value()) + " is beyond 2^46, the last one");
    }
    if (static_cast<std::size_t>(record_count_) > kBatchRecordsMax) {
        return Error(Errc::invalid, "batch of more than a million records");
    }
    BatchHeader header;
    header.base_offset = base_offset;
    header.last_offset_delta = std::max(next_delta_ - 1, last_delta.value_or(0));
    header.record_count = record_count_;
    header.base_timestamp = *base_timestamp_;
    header.max_timestamp = max_timestamp_;
    header.attributes = attributes_;
    header.size_bytes = static_cast<std::uint32_t>(used_);
    const auto whole = std::span(buffer_).first(used_);
    store_batch_header(whole, header, marks);
    return pack_batch(whole, header, compression, marks, packed_);
}

EmptyBatch empty_batch(Offset first, Offset next, const BatchMarks& marks) {
    SLUICE_ASSERT(next > first && next - first <= std::numeric_limits<std::int32_t>::max());
    EmptyBatch batch{};
    batch.header.base_offset = first;
    batch.header.last_offset_delta = static_cast<std::int32_t>(next - first - 1);
    batch.header.size_bytes = kBatchHeaderBytes;
    // No timestamp, in Kafka's words.
    batch.header.base_timestamp = batch.header.max_timestamp = Timestamp(std::chrono::milliseconds(-1));
    store_batch_header(batch.bytes, batch.header, marks);
    batch.header.crc = seal_batch(batch.bytes);
    return batch;
}

Result<EncodedBatch> pack_batch(std::span<std::byte> batch, BatchHeader header, Compression compression,
                                const BatchMarks& marks, std::vector<std::byte>& packed) {
    if (compression != Compression::none) {
        const auto end = compress(batch.subspan(kBatchHeaderBytes), compression, packed, kBatchHeaderBytes);
        if (!end) return end.error();
        if (*end < batch.size()) {
            batch = std::span(packed).first(*end);
            header.attributes |= static_cast<std::uint16_t>(compression);
            header.size_bytes = static_cast<std::uint32_t>(*end);
            store_batch_header(batch, header, marks);
        }
    }
    header.crc = seal_batch(batch);
    return EncodedBatch{header, batch};
}

void BatchBuilder::clear() {
    if (buffer_.size() > kKeptBytesMax) buffer_ = {};
    if (packed_.size() > kKeptBytesMax) packed_ = {};
    used_ = kBatchHeaderBytes;
    record_count_ = next_delta_ = 0;
    base_timestamp_.reset();
    attributes_ = 0;
}

}  // namespace sluice::storage
