// record_fields.hpp: the fields of an encoded record, in the order in which Kafka's format v2 has them.
//
// Shared by what decodes whole batches (record_batch.hpp) and what walks one without keeping its records
// (batch_walk.hpp), so that both take the same bytes for a record. Inline: the latter does this millions of times a
// second.
#pragma once

#include "storage/record_batch.hpp"
#include "storage/varint.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace sluice::storage {

/// Takes a length-prefixed byte string off the front; the inner optional is null for length -1.
[[nodiscard]] inline std::optional<std::optional<std::string_view>> take_nullable(std::span<const std::byte>& bytes) {
    const auto length = take_varint(bytes);
    if (!length || *length < -1) return std::nullopt;
    if (*length == -1) return std::optional<std::string_view>();
    const auto size = static_cast<std::uint64_t>(*length);
    if (size > bytes.size()) return std::nullopt;
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), static_cast<std::size_t>(size));
    bytes = bytes.subspan(static_cast<std::size_t>(size));
    return std::optional(text);
}

/// What the batch's attributes say (docs/log-format.md section 2).
[[nodiscard]] inline std::uint16_t codec_of(const BatchHeader& batch) {
    return batch.attributes & 0x07U;
}
/// Its records have the batch's max_timestamp, whatever they say: a broker has stamped what arrived (KIP-32).
[[nodiscard]] inline bool is_stamped_on_append(const BatchHeader& batch) {
    return (batch.attributes & 0x08U) != 0;
}

/// A record but for its headers, and the bytes of these.
struct RecordFields {
    RecordView record;
    std::span<const std::byte> headers;
};

/// Takes one record off the front of `bytes`; nullopt where there is none that is well formed up to its headers.
[[nodiscard]] inline std::optional<RecordFields> take_record(std::span<const std::byte>& bytes,
                                                             const BatchHeader& batch) {
    const auto length = take_varint(bytes);
    if (!length || *length < 1 || static_cast<std::uint64_t>(*length) > bytes.size()) return std::nullopt;
    auto body = bytes.first(static_cast<std::size_t>(*length)).subspan(1);
    bytes = bytes.subspan(static_cast<std::size_t>(*length));
    const auto timestamp_delta = take_varint(body);
    const auto offset_delta = timestamp_delta ? take_varint(body) : std::nullopt;
    if (!offset_delta || *offset_delta < 0 || *offset_delta > batch.last_offset_delta) return std::nullopt;
    const auto key = take_nullable(body);
    const auto value = key ? take_nullable(body) : std::nullopt;
    if (!value) return std::nullopt;
    RecordFields fields;
    fields.record.offset = batch.base_offset + *offset_delta;
    // Defined for every pair: a device may claim any time.
    fields.record.timestamp = Timestamp(std::chrono::milliseconds(
        static_cast<std::int64_t>(static_cast<std::uint64_t>(batch.base_timestamp.time_since_epoch().count()) +
                                  static_cast<std::uint64_t>(*timestamp_delta))));
    if (is_stamped_on_append(batch)) fields.record.timestamp = batch.max_timestamp;
    fields.record.key = *key;
    fields.record.value = *value;
    fields.headers = body;
    return fields;
}

/// Appends the headers in `bytes`, which is all of them. @return how many; nullopt where they are malformed or too many
[[nodiscard]] inline std::optional<std::size_t> take_headers(std::span<const std::byte> bytes,
                                                             std::vector<HeaderView>& headers) {
    const auto count = take_varint(bytes);
    if (!count || *count < 0 || static_cast<std::uint64_t>(*count) > bytes.size()) return std::nullopt;
    for (std::int64_t i = 0; i < *count; ++i) {
        const auto key = take_nullable(bytes);
        if (!key || !*key) return std::nullopt;
        const auto value = take_nullable(bytes);
        if (!value || headers.size() == kBatchHeadersMax) return std::nullopt;
        headers.push_back({**key, *value});
    }
    if (!bytes.empty()) return std::nullopt;
    return static_cast<std::size_t>(*count);
}

}  // namespace sluice::storage
