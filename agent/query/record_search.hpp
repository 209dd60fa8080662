// record_search.hpp: the records of a stream that somebody looks for: a bounded number in a bounded time.
//
// The newest first goes backwards in steps of offsets, each read forwards: what somebody looks for in a browser is
// mostly near the end. Where the time is up or the rows are enough, `next` is where to go on.
#pragma once

#include "storage/log.hpp"
#include "storage/record.hpp"
#include "storage/result.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace sluice::agent::query {

/// One end of what is asked for: neither, an offset or a time.
struct SearchBound {
    std::optional<storage::Offset> offset;
    std::optional<storage::Timestamp> time;
};

struct RecordSearch {
    SearchBound from;  ///< included
    SearchBound to;    ///< an offset: not included; a time: included
    std::optional<std::string> key;
    std::string text;  ///< in the value or the key, ASCII in any case; empty: any
    bool newest_first = true;
    std::size_t limit = 50;
    std::chrono::milliseconds time_max{2000};
};

struct FoundRecords {
    std::vector<std::string> rows;  ///< in the order that was asked for
    std::uint64_t scanned = 0;      ///< records that were looked at
    /// Where to go on: `to` of the newest first, else `from`; nullopt: that is all.
    std::optional<storage::Offset> next;
};

/// @param render  a record as a row: its views live only as long as the call
/// @return an error where the log can't be read
[[nodiscard]] storage::Result<FoundRecords> search_records(
    const storage::Log& log, const RecordSearch& wanted,
    const std::function<std::string(const storage::RecordView&)>& render);

}  // namespace sluice::agent::query
