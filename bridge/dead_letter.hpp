// dead_letter.hpp: what becomes of a record that can't be routed or sent: kept, whole, with the reason.
#pragma once

#include "storage/record.hpp"

#include <string>
#include <string_view>

namespace sluice::bridge {

/// Why a record is in the dead-letter stream; the text is the value of its header "sluice.reason".
inline constexpr std::string_view kReasonNoRoute = "no-route";
inline constexpr std::string_view kReasonTooLarge = "too-large";
inline constexpr std::string_view kReasonBadTimestamp = "bad-timestamp";
inline constexpr std::string_view kReasonRefusedByKafka = "refused-by-kafka";

/// Of a record that was in a stream's log: which one it was there.
inline constexpr std::string_view kOriginOffsetHeader = "sluice.offset";
inline constexpr std::string_view kOriginLogHeader = "sluice.log-id";

/// `record` with the headers sluice.reason, sluice.detail and sluice.stream (the stream it was meant for, or empty)
/// put in front of its own. Key, value, timestamp and headers stay as they are.
[[nodiscard]] storage::Record make_dead_letter(storage::Record record, std::string_view reason, std::string detail,
                                               std::string_view stream);

}  // namespace sluice::bridge
