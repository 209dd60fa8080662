// catalog_schema.hpp: the catalog's tables, one migration a version. Never edit a migration that was released.
#pragma once

#include <array>

namespace sluice::storage {

/// kCatalogMigrations[n] takes a database from user_version n to n + 1.
inline constexpr std::array<const char*, 2> kCatalogMigrations = {
    "CREATE TABLE cursor ("
    "  reader TEXT NOT NULL,"
    "  stream TEXT NOT NULL,"
    "  log_id TEXT NOT NULL,"
    "  next_offset INTEGER NOT NULL,"
    "  PRIMARY KEY (reader, stream)"
    ") WITHOUT ROWID;"
    "CREATE TABLE subscription ("
    "  source TEXT NOT NULL,"
    "  filter TEXT NOT NULL,"
    "  qos INTEGER NOT NULL,"
    "  PRIMARY KEY (source, filter)"
    ") WITHOUT ROWID",
    "CREATE TABLE note (name TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID",
};

}  // namespace sluice::storage
