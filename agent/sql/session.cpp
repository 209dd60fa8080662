#include "agent/sql/session.hpp"

#include "agent/config.hpp"
#include "agent/log/files.hpp"
#include "agent/sql/functions.hpp"
#include "agent/sql/json_value.hpp"
#include "agent/sql/stream_table.hpp"
#include "storage/clock.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <array>

namespace sluice::agent::sql {

using storage::Errc;
using storage::Error;
using storage::Result;

namespace {

constexpr int kProgressSteps = 10'000;  // of SQLite's machine between two looks at the clock

constexpr const char* kStreamsView =
    "CREATE VIEW streams AS SELECT value ->> 'stream' AS stream, value ->> 'log_start_offset' AS log_start_offset, "
    "value ->> 'log_end_offset' AS log_end_offset, value ->> 'forwarded' AS forwarded, value ->> 'segments' AS "
    "segments, "
    "value ->> 'bytes' AS bytes, value ->> 'log_id' AS log_id FROM json_each(sluice_streams())";
constexpr const char* kDevicesView =
    "CREATE VIEW devices AS SELECT value ->> 'stream' AS stream, value ->> 'key' AS key, value ->> 'first' AS first, "
    "value ->> 'last' AS last, value ->> 'silent_seconds' AS silent_seconds, value ->> 'messages' AS messages, "
    "value ->> 'per_minute' AS per_minute, value ->> 'value' AS value FROM json_each(sluice_devices())";
constexpr const char* kAlertsView =
    "CREATE VIEW alerts AS SELECT \"offset\", timestamp, value ->> 'id' AS id, value ->> 'state' AS state, "
    "value ->> 'rule' AS rule, value ->> 'device' AS device, value ->> 'stream' AS stream, "
    "value ->> 'severity' AS severity, value ->> 'message' AS message, value ->> 'start' AS start, value ->> 'at' AS "
    "at, "
    "value ->> 'first_offset' AS first_offset, value ->> 'last_offset' AS last_offset, key, value FROM ";
constexpr const char* kGapsView =
    "CREATE VIEW gaps AS SELECT \"offset\", timestamp, value ->> 'event' AS event, value ->> 'stream' AS stream, "
    "value ->> 'first_offset' AS first_offset, value ->> 'next_offset' AS next_offset, value ->> 'count' AS count, "
    "value ->> 'reason' AS reason FROM ";
constexpr const char* kOfGaps = " WHERE value ->> 'event' IN ('gap', 'rules-gap')";
constexpr const char* kOnlySelect = "only SELECT is allowed: the log is not changed by SQL";
constexpr std::array kViews{"alerts", "devices", "gaps", "streams"};

/// As it stands between `quote`s.
std::string quoted(const std::string& text, char quote) {
    std::string all(1, quote);
    for (const char c : text) all.append(c == quote ? 2 : 1, c);
    return all + quote;
}

/// SQLite's names have no case, some are views of ours, and some are its own.
std::string table_name(const std::string& stream) {
    constexpr std::string_view kReserved = "sqlite_";
    const auto is_stream = [&](const char* view) { return sqlite3_stricmp(stream.c_str(), view) == 0; };
    if (std::any_of(kViews.begin(), kViews.end(), is_stream)) return stream + "_stream";
    if (sqlite3_strnicmp(stream.c_str(), kReserved.data(), kReserved.size()) == 0) return "stream_" + stream;
    return stream;
}

/// A view of a stream that isn't there has no rows.
std::string from(const std::vector<std::string>& streams, const std::string& stream) {
    if (std::binary_search(streams.begin(), streams.end(), stream)) return quoted(table_name(stream), '"');
    return "(SELECT 0 AS \"offset\", 0 AS timestamp, '' AS key, '{}' AS value WHERE 0)";
}

int authorize(void* /*aux*/, int action, const char* /*first*/, const char* second, const char* /*database*/,
              const char* /*trigger*/) {
    switch (action) {
        case SQLITE_SELECT:
        case SQLITE_READ:
        case SQLITE_RECURSIVE:
            return SQLITE_OK;
        case SQLITE_FUNCTION:
            return second != nullptr && std::string_view(second) == "load_extension" ? SQLITE_DENY : SQLITE_OK;
        default:
            return SQLITE_DENY;
    }
}

SqlValue value_of(sqlite3_stmt* statement, int column) {
    SqlValue value;
    switch (sqlite3_column_type(statement, column)) {
        case SQLITE_INTEGER:
            value.kind = SqlValue::Kind::integer;
            value.integer = sqlite3_column_int64(statement, column);
            return value;
        case SQLITE_FLOAT:
            value.kind = SqlValue::Kind::real;
            value.real = sqlite3_column_double(statement, column);
            return value;
        case SQLITE_NULL:
            return value;
        case SQLITE_TEXT:
            value.kind = SqlValue::Kind::text;
            break;
        default:
            value.kind = SqlValue::Kind::blob;
    }
    const auto* const bytes = static_cast<const char*>(sqlite3_column_blob(statement, column));
    value.bytes = {bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement, column))};
    return value;
}

struct FinalizeQuery {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};

}  // namespace

void SqlSession::Close::operator()(sqlite3* db) const {
    sqlite3_close_v2(db);
}

Result<std::unique_ptr<SqlSession>> SqlSession::open(storage::FileSystem& files, SqlSource source) {
    auto session = std::unique_ptr<SqlSession>(new SqlSession(files, std::move(source)));
    if (auto done = session->set_up(); !done) return done.error();
    return session;
}

SqlSession::~SqlSession() = default;

Result<void> SqlSession::set_up() {
    for (auto* const made : {&original_, &db_}) {
        sqlite3* db = nullptr;
        const int result = sqlite3_open_v2(
            ":memory:", &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_MEMORY | SQLITE_OPEN_NOMUTEX,
            nullptr);
        made->reset(db);
        if (result != SQLITE_OK) return Error(Errc::io, std::string("SQLite: ") + sqlite3_errstr(result));
    }
    auto* const db = db_.get();
    sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
    register_stream_tables(db, context_);
    register_functions(db, context_, original_.get());
    register_json_value(db, original_.get());
    sqlite3_progress_handler(db, kProgressSteps, &SqlSession::may_go_on, this);
    if (auto done = make("PRAGMA temp_store = MEMORY"); !done) return done;
    for (const auto* const view : {kStreamsView, kDevicesView}) {
        if (auto done = make(view); !done) return done;
    }
    return add_new_streams();
}

/// Runs what changes the database in memory.
Result<void> SqlSession::make(const std::string& sql) {
    sqlite3_set_authorizer(db_.get(), nullptr, nullptr);
    const int result = sqlite3_exec(db_.get(), sql.c_str(), nullptr, nullptr, nullptr);
    sqlite3_set_authorizer(db_.get(), authorize, nullptr);
    if (result != SQLITE_OK) return Error(Errc::rejected, std::string("SQLite: ") + sqlite3_errmsg(db_.get()));
    return {};
}

Result<void> SqlSession::add_new_streams() {
    const auto found = find_streams(context_.files, context_.source.data_dir);
    if (!found) return found.error();
    const auto views = make("DROP VIEW IF EXISTS alerts; DROP VIEW IF EXISTS gaps");
    if (!views) return views;
    for (const auto& each : *found) {
        const auto at = std::lower_bound(streams_.begin(), streams_.end(), each.stream);
        if (at != streams_.end() && *at == each.stream) continue;
        auto done = make("CREATE VIRTUAL TABLE " + quoted(table_name(each.stream), '"') + " USING stream(" +
                         quoted(each.stream, '\'') + ")");
        if (!done) return done;
        streams_.insert(at, each.stream);
    }
    if (auto done = make(kAlertsView + from(streams_, kAlertsStream)); !done) return done;
    return make(kGapsView + from(streams_, kEventsStream) + kOfGaps);
}

int SqlSession::may_go_on(void* self) {
    auto& session = *static_cast<SqlSession*>(self);
    if (session.memory_max_ > 0 && sqlite3_memory_used() > session.memory_max_) session.out_of_memory_ = true;
    return session.out_of_memory_ || session.context_.is_due() ? 1 : 0;
}

std::optional<SqlFailure> SqlSession::run(std::string_view text, const SqlLimits& limits, const SqlSink& sink,
                                          SqlDone& done) {
    done = {};
    forget_limits();
    if (auto added = add_new_streams(); !added) {
        return SqlFailure{SqlFailure::Kind::failed, added.error().message(), {}};
    }
    sqlite3_limit(db_.get(), SQLITE_LIMIT_LENGTH, limits.value_bytes);
    context_.now = storage::SystemClock().now();
    if (limits.time) context_.deadline = std::chrono::steady_clock::now() + *limits.time;
    memory_max_ = sqlite3_memory_used() + static_cast<std::int64_t>(limits.memory_bytes);
    std::optional<SqlFailure> failed;
    for (std::size_t at = 0; at < text.size() && !failed && !done.cut;) {
        const char* rest = nullptr;
        sqlite3_stmt* made = nullptr;
        const int result =
            sqlite3_prepare_v2(db_.get(), text.data() + at, static_cast<int>(text.size() - at), &made, &rest);
        const std::unique_ptr<sqlite3_stmt, FinalizeQuery> statement(made);
        if (result != SQLITE_OK) {
            failed = failure(at);
        } else if (made != nullptr && (sqlite3_column_count(made) == 0 || sqlite3_stmt_readonly(made) == 0)) {
            failed = SqlFailure{SqlFailure::Kind::wrong, kOnlySelect, at};  // VACUUM gets past the authorizer
        } else if (made != nullptr) {
            failed = run_statement(made, limits, sink, done);
        }
        at = static_cast<std::size_t>(rest - text.data());
    }
    done.scanned = context_.stats;
    forget_limits();
    return failed;
}

void SqlSession::forget_limits() {
    context_.cancelled = false;
    context_.stats = {};
    context_.deadline.reset();
    memory_max_ = 0;
    out_of_memory_ = false;
}

std::optional<SqlFailure> SqlSession::run_statement(sqlite3_stmt* statement, const SqlLimits& limits,
                                                    const SqlSink& sink, SqlDone& done) {
    const int count = sqlite3_column_count(statement);
    std::vector<std::string> columns;
    for (int i = 0; i < count; ++i) columns.emplace_back(sqlite3_column_name(statement, i));
    if (sink.columns) sink.columns(columns);
    std::vector<SqlValue> row(columns.size());
    std::uint64_t bytes = 0;
    for (;;) {
        const int result = sqlite3_step(statement);
        if (result == SQLITE_DONE) return std::nullopt;
        if (result != SQLITE_ROW) return failure(0);
        for (int i = 0; i < count; ++i) {
            row[static_cast<std::size_t>(i)] = value_of(statement, i);
            bytes += row[static_cast<std::size_t>(i)].bytes.size();
        }
        done.cut = (limits.rows && done.rows >= *limits.rows) || (limits.bytes && bytes > *limits.bytes);
        if (done.cut) return std::nullopt;
        ++done.rows;
        if (sink.row && !sink.row(row)) return std::nullopt;
    }
}

SqlFailure SqlSession::failure(std::size_t statement_at) {
    using Kind = SqlFailure::Kind;
    if (context_.cancelled) return {Kind::cancelled, "the query was cancelled", {}};
    if (out_of_memory_) {
        return {Kind::memory, "sorting or grouping takes too much memory (ask for less, or group by fewer values)", {}};
    }
    const int code = sqlite3_errcode(db_.get());
    if (code == SQLITE_INTERRUPT) {
        return {Kind::timed_out, "the query takes too long (narrow it: a range of timestamp or offset, or a key)", {}};
    }
    if (code == SQLITE_AUTH) {
        return {Kind::wrong, kOnlySelect, statement_at};
    }
    SqlFailure failed{Kind::wrong, sqlite3_errmsg(db_.get()), {}};
    const int at = sqlite3_error_offset(db_.get());
    if (at >= 0) failed.at = statement_at + static_cast<std::size_t>(at);
    return failed;
}

std::vector<SqlSession::Table> SqlSession::tables() {
    std::vector<Table> tables;
    if (!add_new_streams()) return tables;
    std::vector<std::string> names(kViews.begin(), kViews.end());
    for (const auto& stream : streams_) names.push_back(table_name(stream));
    std::sort(names.begin(), names.end());
    for (const auto& name : names) {
        sqlite3_stmt* made = nullptr;
        const auto sql = "SELECT group_concat(name, ', ') FROM pragma_table_xinfo(" + quoted(name, '\'') + ")";
        sqlite3_set_authorizer(db_.get(), nullptr, nullptr);
        sqlite3_prepare_v2(db_.get(), sql.c_str(), -1, &made, nullptr);
        const std::unique_ptr<sqlite3_stmt, FinalizeQuery> statement(made);
        const bool found = made != nullptr && sqlite3_step(made) == SQLITE_ROW;
        sqlite3_set_authorizer(db_.get(), authorize, nullptr);
        if (found) tables.push_back({name, std::string(value_of(made, 0).bytes)});
    }
    return tables;
}

bool SqlSession::is_complete(const std::string& text) {
    return sqlite3_complete(text.c_str()) != 0;
}

}  // namespace sluice::agent::sql
