// sqlite.hpp: the little of SQLite that the databases here need, with its errors as results.
//
// Durable: WAL with synchronous FULL. A database has a schema version (user_version) and migrations, one a version.
// One thread, or a mutex of the caller's.
#pragma once

#include "storage/result.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace sluice::storage {

/// A prepared statement. Texts and blobs that were bound must live until run() or next() returned.
class Statement {
 public:
    Statement& bind(std::int64_t value);
    Statement& bind(std::string_view text);
    Statement& bind_blob(std::string_view bytes);
    Statement& bind_null();
    template <class T>
    Statement& bind_optional(const std::optional<T>& value) {
        return value ? bind(*value) : bind_null();
    }
    /// Executes it, and makes it ready for the next values.
    [[nodiscard]] Result<void> run();
    /// The next row, if there is one.
    [[nodiscard]] Result<bool> next();

    // Columns of the row, from 0. Views live until the next call of next().
    [[nodiscard]] bool is_null(int column) const;
    [[nodiscard]] std::int64_t integer(int column) const;
    [[nodiscard]] std::string_view text(int column) const;
    [[nodiscard]] std::string_view blob(int column) const;

 private:
    friend class Database;
    struct Finalize {
        void operator()(sqlite3_stmt* statement) const;
    };
    Statement(sqlite3_stmt* statement, std::string what, std::string loss)
        : statement_(statement), what_(std::move(what)), loss_(std::move(loss)) {}

    std::unique_ptr<sqlite3_stmt, Finalize> statement_;
    std::string what_;
    std::string loss_;
    int bound_ = 0;
};

struct DatabaseOptions {
    std::string what{};                       ///< what people call it: "catalog"
    std::string loss{};                       ///< for people: what is lost where a damaged one is moved away
    std::span<const char* const> migrations;  ///< [n] takes it from version n to n + 1
    bool read_only = false;                   ///< must exist, and is left as it is
    int checkpoint_pages = 64;                ///< the journal is rewritten when it has this many
    bool keep_space = false;                  ///< changes go on where the disk is full, as far as they are small
    /// No other process gets in. Else its journal has an index in a file, for them to share, which is made anew at each
    /// open; a full disk may have no block for it, and then a database is opened alone.
    bool alone = false;
};

class Database {
 public:
    /// @return an error for an unreadable, damaged or newer database, saying what to do
    [[nodiscard]] static Result<Database> open(const std::string& path, const DatabaseOptions& options);

    /// @param what  for error texts: "store a cursor"
    [[nodiscard]] Result<Statement> prepare(const char* sql, std::string_view what);
    /// Durable when it returns without an error; else nothing of it has happened. On a full disk `change` may run
    /// twice.
    [[nodiscard]] Result<void> in_transaction(const std::function<Result<void>()>& change);

 private:
    struct Close {
        void operator()(sqlite3* database) const;
    };
    explicit Database(std::unique_ptr<sqlite3, Close> database, std::string what, std::string loss)
        : database_(std::move(database)), what_(std::move(what)), loss_(std::move(loss)) {}
    [[nodiscard]] Result<void> execute(const std::string& sql, std::string_view what);
    [[nodiscard]] Result<void> attempt(const std::function<Result<void>()>& change);
    void keep_space(const std::string& path, int pages);
    [[nodiscard]] Result<std::int64_t> pragma(const char* sql);
    [[nodiscard]] Result<void> migrate(const std::string& path, std::span<const char* const> migrations);
    [[nodiscard]] Error failed(std::string_view what) const;

    std::unique_ptr<sqlite3, Close> database_;
    std::string what_;
    std::string loss_;
};

}  // namespace sluice::storage
