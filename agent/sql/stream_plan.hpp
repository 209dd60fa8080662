// stream_plan.hpp: which part of a stream a query needs, from SQLite's planner to the scan, as it travels between the
// two in a string.
#pragma once

#include "agent/query/stream_scan.hpp"

#include <sqlite3.h>

#include <span>
#include <string_view>

namespace sluice::agent::sql {

enum Column : int { kOffset, kTimestamp, kKey, kValue, kHeaders, kSize };

/// Of sqlite3_index_info::idxNum.
enum PlanFlag : int {
    kDescending = 1,
    kCountOnly = 2,  ///< no column is read
};

/// xBestIndex: chooses what is pushed down, and says what it costs.
int plan_scan(sqlite3_index_info* info);

/// What of the pushed-down values bounds the scan. A value whose comparison with a record is none of numbers or bytes
/// bounds nothing: SQLite compares each row itself.
[[nodiscard]] query::ScanRange range_of(int flags, std::string_view plan, std::span<sqlite3_value*> values);

}  // namespace sluice::agent::sql
