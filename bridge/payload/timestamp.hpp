// timestamp.hpp: the time of a measurement, as the device wrote it into its JSON payload.
#pragma once

#include "bridge/route/route.hpp"
#include "storage/result.hpp"
#include "storage/types.hpp"

#include <string>
#include <string_view>

namespace sluice::bridge {

/// Payloads beyond this are not searched for a timestamp: parsing needs several times their size in memory.
inline constexpr std::size_t kJsonBytesMax = 4U << 20U;

/// Whether `pointer` is a JSON pointer (RFC 6901).
[[nodiscard]] bool is_json_pointer(std::string_view pointer);

/// The value that `pointer` names in the JSON `payload`, read as `format` says.
/// @return Errc::invalid with why there is none: not JSON, no such member, not a time, out of the years 1970 to 9999
[[nodiscard]] storage::Result<storage::Timestamp> payload_timestamp(std::string_view payload,
                                                                    const std::string& pointer, TimestampFormat format);

/// RFC 3339, e.g. "2026-01-31T23:59:60.25+01:00"; a leap second counts as the second after it.
[[nodiscard]] storage::Result<storage::Timestamp> parse_rfc3339(std::string_view text);

}  // namespace sluice::bridge
