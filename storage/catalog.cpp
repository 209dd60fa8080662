#include "storage/catalog.hpp"

#include "storage/catalog_schema.hpp"

#include <sqlite3.h>

#include <mutex>
#include <utility>

namespace sluice::storage {

namespace {

using Database = std::unique_ptr<sqlite3, decltype(&sqlite3_close)>;
using Statement = std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)>;

Error failed(sqlite3* database, std::string_view operation) {
    const int code = sqlite3_errcode(database);
    const bool damaged = code == SQLITE_CORRUPT || code == SQLITE_NOTADB;
    std::string what = "catalog: cannot ";
    what.append(operation).append(": ").append(sqlite3_errmsg(database));
    if (damaged)
        what += " (move the file away: records are safe in the log, and forwarding starts over from its start)";
    return {damaged ? Errc::corrupt : code == SQLITE_FULL ? Errc::no_space : Errc::io, std::move(what)};
}

Result<void> execute(sqlite3* database, const std::string& sql, std::string_view operation) {
    if (sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
        return failed(database, operation);
    }
    return {};
}

Result<Statement> prepare(sqlite3* database, const char* sql) {
    sqlite3_stmt* raw = nullptr;
    if (sqlite3_prepare_v2(database, sql, -1, &raw, nullptr) != SQLITE_OK) return failed(database, "prepare");
    return Statement(raw, &sqlite3_finalize);
}

// Not called bind: std::bind would be found for a std::string, and do nothing.
void bind_text(sqlite3_stmt* statement, int index, std::string_view text) {
    sqlite3_bind_text(statement, index, text.data(), static_cast<int>(text.size()), SQLITE_TRANSIENT);
}

std::string_view column(sqlite3_stmt* statement, int index) {
    const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, index));
    return {text, static_cast<std::size_t>(sqlite3_column_bytes(statement, index))};
}

Result<int> schema_version(sqlite3* database) {
    auto statement = prepare(database, "PRAGMA user_version");
    if (!statement) return statement.error();
    if (sqlite3_step(statement->get()) != SQLITE_ROW) return failed(database, "read its version");
    return sqlite3_column_int(statement->get(), 0);
}

Result<void> migrate(sqlite3* database, const std::string& path) {
    auto version = schema_version(database);
    if (!version) return version.error();
    const auto newest = static_cast<int>(kCatalogMigrations.size());
    if (*version > newest) {
        return Error(Errc::invalid, path + " was written by a newer sluice (schema " + std::to_string(*version) +
                                        ", this one knows " + std::to_string(newest) + "): update sluice");
    }
    for (int next = *version; next < newest; ++next) {
        const std::string sql = std::string("BEGIN IMMEDIATE; ") + kCatalogMigrations[static_cast<std::size_t>(next)] +
                                "; PRAGMA user_version = " + std::to_string(next + 1) + "; COMMIT";
        if (auto done = execute(database, sql, "create its tables"); !done) return done;
    }
    return {};
}

}  // namespace

struct Catalog::Impl {
    explicit Impl(Database opened) : database(std::move(opened)) {}
    Database database;
    std::mutex mutex;
};

Catalog::Catalog(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Catalog::~Catalog() = default;

Result<std::unique_ptr<Catalog>> Catalog::open(const std::string& path, CatalogMode mode) {
    const int flags =
        (mode == CatalogMode::read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE) |
        SQLITE_OPEN_NOMUTEX;
    sqlite3* raw = nullptr;
    const int opened = sqlite3_open_v2(path.c_str(), &raw, flags, nullptr);
    Database database(raw, &sqlite3_close);
    if (opened != SQLITE_OK) return failed(raw, "open " + path);
    sqlite3_busy_timeout(raw, 5000);
    if (mode == CatalogMode::read_write) {
        // FULL: a cursor is durable before what it has passed is deleted. The journal stays small: it is rewritten
        // often, and a gateway's flash pays for each page.
        const char* pragmas = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 64";
        if (auto done = execute(raw, pragmas, "open " + path); !done) return done.error();
        if (auto done = migrate(raw, path); !done) return done.error();
    }
    return std::unique_ptr<Catalog>(new Catalog(std::make_unique<Impl>(std::move(database))));
}

Result<std::optional<Offset>> Catalog::cursor(std::string_view reader, std::string_view stream,
                                              const LogId& log_id) const {
    const std::lock_guard lock(impl_->mutex);
    auto* database = impl_->database.get();
    auto statement = prepare(database, "SELECT next_offset FROM cursor WHERE reader = ? AND stream = ? AND log_id = ?");
    if (!statement) return statement.error();
    bind_text(statement->get(), 1, reader);
    bind_text(statement->get(), 2, stream);
    bind_text(statement->get(), 3, log_id.to_string());
    const int step = sqlite3_step(statement->get());
    if (step == SQLITE_DONE) return std::optional<Offset>();
    if (step != SQLITE_ROW) return failed(database, "read a cursor");
    return std::optional(Offset(sqlite3_column_int64(statement->get(), 0)));
}

Result<std::vector<Cursor>> Catalog::cursors() const {
    const std::lock_guard lock(impl_->mutex);
    auto* database = impl_->database.get();
    auto statement = prepare(database, "SELECT reader, stream, log_id, next_offset FROM cursor ORDER BY 1, 2");
    if (!statement) return statement.error();
    std::vector<Cursor> cursors;
    int step = SQLITE_DONE;
    while ((step = sqlite3_step(statement->get())) == SQLITE_ROW) {
        const auto log_id = LogId::parse(column(statement->get(), 2));
        if (!log_id) return Error(Errc::corrupt, "catalog: a cursor's log id is not a UUID");
        cursors.push_back({std::string(column(statement->get(), 0)), std::string(column(statement->get(), 1)), *log_id,
                           Offset(sqlite3_column_int64(statement->get(), 3))});
    }
    if (step != SQLITE_DONE) return failed(database, "read the cursors");
    return cursors;
}

Result<void> Catalog::in_transaction(const std::function<Result<void>()>& change) {
    auto* database = impl_->database.get();
    if (auto done = execute(database, "BEGIN IMMEDIATE", "begin"); !done) return done;
    auto result = change();
    if (result) result = execute(database, "COMMIT", "commit");
    if (!result) static_cast<void>(execute(database, "ROLLBACK", "roll back"));
    return result;
}

Result<void> Catalog::store_cursors(const std::vector<Cursor>& cursors) {
    const std::lock_guard lock(impl_->mutex);
    auto* database = impl_->database.get();
    return in_transaction([&]() -> Result<void> {
        auto statement = prepare(database, "INSERT OR REPLACE INTO cursor VALUES (?, ?, ?, ?)");
        if (!statement) return statement.error();
        for (const auto& cursor : cursors) {
            bind_text(statement->get(), 1, cursor.reader);
            bind_text(statement->get(), 2, cursor.stream);
            bind_text(statement->get(), 3, cursor.log_id.to_string());
            sqlite3_bind_int64(statement->get(), 4, cursor.offset.value());
            if (sqlite3_step(statement->get()) != SQLITE_DONE) return failed(database, "store a cursor");
            sqlite3_reset(statement->get());
        }
        return {};
    });
}

Result<Catalog::Subscriptions> Catalog::subscriptions(std::string_view source) const {
    const std::lock_guard lock(impl_->mutex);
    auto* database = impl_->database.get();
    auto statement = prepare(database, "SELECT filter, qos FROM subscription WHERE source = ?");
    if (!statement) return statement.error();
    bind_text(statement->get(), 1, source);
    Subscriptions subscriptions;
    int step = SQLITE_DONE;
    while ((step = sqlite3_step(statement->get())) == SQLITE_ROW) {
        subscriptions.emplace(column(statement->get(), 0), sqlite3_column_int(statement->get(), 1));
    }
    if (step != SQLITE_DONE) return failed(database, "read the subscriptions");
    return subscriptions;
}

Result<void> Catalog::store_subscriptions(std::string_view source, const Subscriptions& subscriptions) {
    const std::lock_guard lock(impl_->mutex);
    auto* database = impl_->database.get();
    return in_transaction([&]() -> Result<void> {
        auto forget = prepare(database, "DELETE FROM subscription WHERE source = ?");
        if (!forget) return forget.error();
        bind_text(forget->get(), 1, source);
        if (sqlite3_step(forget->get()) != SQLITE_DONE) return failed(database, "forget the subscriptions");
        auto insert = prepare(database, "INSERT INTO subscription VALUES (?, ?, ?)");
        if (!insert) return insert.error();
        for (const auto& [filter, qos] : subscriptions) {
            bind_text(insert->get(), 1, source);
            bind_text(insert->get(), 2, filter);
            sqlite3_bind_int(insert->get(), 3, qos);
            if (sqlite3_step(insert->get()) != SQLITE_DONE) return failed(database, "store a subscription");
            sqlite3_reset(insert->get());
        }
        return {};
    });
}

Result<std::optional<std::string>> Catalog::note(std::string_view name) const {
    const std::lock_guard lock(impl_->mutex);
    auto* database = impl_->database.get();
    auto statement = prepare(database, "SELECT text FROM note WHERE name = ?");
    if (!statement) return statement.error();
    bind_text(statement->get(), 1, name);
    const int step = sqlite3_step(statement->get());
    if (step == SQLITE_DONE) return std::optional<std::string>();
    if (step != SQLITE_ROW) return failed(database, "read a note");
    return std::optional<std::string>(column(statement->get(), 0));
}

Result<void> Catalog::store_note(std::string_view name, std::string_view text) {
    const std::lock_guard lock(impl_->mutex);
    auto* database = impl_->database.get();
    auto statement = prepare(database, "INSERT OR REPLACE INTO note VALUES (?, ?)");
    if (!statement) return statement.error();
    bind_text(statement->get(), 1, name);
    bind_text(statement->get(), 2, text);
    if (sqlite3_step(statement->get()) != SQLITE_DONE) return failed(database, "store a note");
    return {};
}

}  // namespace sluice::storage
