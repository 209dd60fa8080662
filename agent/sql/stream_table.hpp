// stream_table.hpp: a stream of the local log as an SQLite virtual table: a row a record, read-only.
//
//   "offset" INTEGER, timestamp INTEGER (ms since 1970), key TEXT, value TEXT,
//   hidden: headers TEXT (JSON, an object a header), size INTEGER (bytes of key and value)
//
// Bytes that are no UTF-8 are BLOBs. Ranges of offset and timestamp and equality of key are pushed down to the log's
// indexes; SQLite checks every row again, so that an index only has to rule out. Rows come by offset, either way, so
// that ORDER BY offset LIMIT n reads n records. A row is decoded as far as the query reads it: count(*) alone counts
// batches.
#pragma once

#include "agent/sql/sql_context.hpp"

#include <sqlite3.h>

namespace sluice::agent::sql {

/// Makes the module "stream" known: CREATE VIRTUAL TABLE t USING stream('NAME').
/// @param context  outlives the connection
void register_stream_tables(sqlite3* db, SqlContext& context);

}  // namespace sluice::agent::sql
