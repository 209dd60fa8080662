// record.hpp: a record as it is handed to the log (owning), and as it is read back (a view).
#pragma once

#include "storage/types.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::storage {

struct Header {
    std::string key;
    std::optional<std::string> value;  ///< nullopt: null, as in Kafka
    friend bool operator==(const Header&, const Header&) = default;
};

/// A record before it has an offset. Key and value are bytes; nullopt is null, which is not the same as empty.
/// A record with a null value is a tombstone.
struct Record {
    std::optional<std::string> key;
    std::optional<std::string> value;
    std::vector<Header> headers;
    Timestamp timestamp{};
    friend bool operator==(const Record&, const Record&) = default;

    /// Bytes that the record takes in memory and, give or take varints, in an uncompressed batch.
    [[nodiscard]] std::size_t size_bytes() const;
};

struct HeaderView {
    std::string_view key;
    std::optional<std::string_view> value;
};

/// A record in a decoded batch. Its views live as long as the batch that it came from.
struct RecordView {
    Offset offset;
    Timestamp timestamp{};
    std::optional<std::string_view> key;
    std::optional<std::string_view> value;
    std::span<const HeaderView> headers;

    [[nodiscard]] Record to_record() const;
};

/// The header's value, or nullopt where there is none of this key or it is null.
[[nodiscard]] std::optional<std::string_view> find_header(const RecordView& record, std::string_view key);

/// Headers whose key starts with this are the agent's own notes; the forwarder does not send them.
inline constexpr std::string_view kInternalHeaderPrefix = "sluice.internal.";

}  // namespace sluice::storage
