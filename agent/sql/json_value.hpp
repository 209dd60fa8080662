// json_value.hpp: SQLite's own ->> for simple paths, faster, with SQLite's answers.
//
// Why: SQLite builds a tree of each document, which takes most of the time of a query over millions of them. Here one
// pass finds the value (query/json_field.hpp). What is answered: a member or element by a path such as $.a.b[0] or a
// bare name, of a document without escapes, that is a short number, a string, true, false or null. All else, damaged
// documents included, goes to SQLite's own function on a connection that has it.
#pragma once

#include <sqlite3.h>

namespace sluice::agent::sql {

/// Puts it in the place of SQLite's on this connection. @param original  a connection that keeps SQLite's; outlives
/// `db`
void register_json_value(sqlite3* db, sqlite3* original);

}  // namespace sluice::agent::sql
