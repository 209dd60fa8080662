// session.hpp: SQL over the local log: read-only, with limits, for the command line and for whoever serves others.
//
// An SQLite database in memory whose tables are the streams (stream_table.hpp), and the views streams, devices, alerts
// and gaps. It can't write: nothing but SELECT is let through, no file is attached, and what sorting needs stays in
// memory. Streams that have come since are there in the next query.
// One thread; only cancel() may be called from another one, or a signal handler.
#pragma once

#include "agent/sql/sql_context.hpp"
#include "storage/result.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

struct sqlite3;
struct sqlite3_stmt;

namespace sluice::agent::sql {

/// Of each query. What was found up to a limit of rows or bytes is given, and SqlDone says so.
struct SqlLimits {
    std::optional<std::chrono::milliseconds> time;
    std::optional<std::uint64_t> rows;
    std::optional<std::uint64_t> bytes;        ///< of the values that are given
    std::uint64_t memory_bytes = 256U << 20U;  ///< that SQLite may take for sorting and grouping
    int value_bytes = 64 << 20;                ///< of one value that it makes
};

struct SqlValue {
    enum class Kind : std::uint8_t { null, integer, real, text, blob };
    Kind kind = Kind::null;
    std::int64_t integer = 0;
    double real = 0;
    std::string_view bytes;  ///< of text, which is UTF-8, or a blob; valid during the call
};

/// Takes what comes. @return false: enough
struct SqlSink {
    std::function<void(const std::vector<std::string>& columns)> columns;
    std::function<bool(std::span<const SqlValue> row)> row;
};

struct SqlDone {
    std::uint64_t rows = 0;
    bool cut = false;          ///< a limit of rows or bytes has ended it
    query::ScanStats scanned;  ///< what it cost; `damaged` places were passed over
};

/// Why there is no answer, or only the beginning of one.
struct SqlFailure {
    enum class Kind : std::uint8_t { wrong, timed_out, cancelled, memory, failed };
    Kind kind = Kind::wrong;
    std::string message;
    std::optional<std::size_t> at;  ///< the byte of the query that it is about
};

class SqlSession {
 public:
    /// @param files  outlives the session
    [[nodiscard]] static storage::Result<std::unique_ptr<SqlSession>> open(storage::FileSystem& files,
                                                                           SqlSource source);
    ~SqlSession();
    SqlSession(const SqlSession&) = delete;
    SqlSession& operator=(const SqlSession&) = delete;

    /// Runs the statements of `text`, which are SELECTs (or EXPLAINs of such), one after the other.
    /// @return nullopt: `done` says what came; else why it ended
    [[nodiscard]] std::optional<SqlFailure> run(std::string_view text, const SqlLimits& limits, const SqlSink& sink,
                                                SqlDone& done);
    /// Ends the query that runs, soon.
    void cancel() { context_.cancelled = true; }

    struct Table {
        std::string name;
        std::string columns;  ///< as in CREATE TABLE; the hidden ones of streams too
    };
    /// By name, for people and for completion. Looks for new streams.
    [[nodiscard]] std::vector<Table> tables();

    /// Whether `text` ends a statement, i.e. with a semicolon outside of strings and comments.
    [[nodiscard]] static bool is_complete(const std::string& text);

 private:
    struct Close {
        void operator()(sqlite3* db) const;
    };
    SqlSession(storage::FileSystem& files, SqlSource source) : context_{files, std::move(source), {}, {}, {}, {}} {}
    [[nodiscard]] storage::Result<void> set_up();
    [[nodiscard]] storage::Result<void> add_new_streams();
    [[nodiscard]] storage::Result<void> make(const std::string& sql);
    [[nodiscard]] std::optional<SqlFailure> run_statement(sqlite3_stmt* statement, const SqlLimits& limits,
                                                          const SqlSink& sink, SqlDone& done);
    void forget_limits();
    [[nodiscard]] SqlFailure failure(std::size_t statement_at);
    static int may_go_on(void* self);

    SqlContext context_;
    std::unique_ptr<sqlite3, Close> original_;  // SQLite with its own functions
    std::unique_ptr<sqlite3, Close> db_;        // closed before it
    std::vector<std::string> streams_;          // that have a table, sorted
    std::int64_t memory_max_ = 0;
    bool out_of_memory_ = false;
};

}  // namespace sluice::agent::sql
