// functions.hpp: what a question to the log needs beside SQLite's own functions: times in the unit of `timestamp`.
//
//   now(MODIFIER, …)            ms since 1970 when the query began, moved as SQLite's date functions do: now('-1 hour')
//   time_ms(TEXT, MODIFIER, …)  the same for a time as SQLite reads it: time_ms('2026-01-31T12:00')
//   time_text(MS)               "2026-01-31T12:00:00.000Z"
#pragma once

#include "agent/sql/sql_context.hpp"

#include <sqlite3.h>

namespace sluice::agent::sql {

/// @param context, original  outlive `db`
void register_functions(sqlite3* db, SqlContext& context, sqlite3* original);

}  // namespace sluice::agent::sql
