#include "storage/sqlite.hpp"

#include <sqlite3.h>

#include <filesystem>
#include <system_error>
#include <utility>

namespace sluice::storage {

namespace {

constexpr int kBusyMilliseconds = 5000;
// Beyond the pages at which the journal is rewritten: what the change that comes then may add.
constexpr int kSparePages = 16;

Error error_of(sqlite3* database, std::string text, const std::string& loss) {
    const int code = sqlite3_errcode(database);
    // As the log says it: SQLite's own words leave open whether the database or the disk is full.
    text += code == SQLITE_FULL ? "no space left on device" : sqlite3_errmsg(database);
    const bool damaged = code == SQLITE_CORRUPT || code == SQLITE_NOTADB;
    if (damaged && !loss.empty()) text += " (move the file away: " + loss + ")";
    return {damaged ? Errc::corrupt : code == SQLITE_FULL ? Errc::no_space : Errc::io, std::move(text)};
}

}  // namespace

void Statement::Finalize::operator()(sqlite3_stmt* statement) const {
    sqlite3_finalize(statement);
}

Statement& Statement::bind(std::int64_t value) {
    sqlite3_bind_int64(statement_.get(), ++bound_, value);
    return *this;
}

Statement& Statement::bind(std::string_view text) {
    // A null pointer would be NULL, which an empty text is not.
    const char* bytes = text.data() == nullptr ? "" : text.data();
    sqlite3_bind_text(statement_.get(), ++bound_, bytes, static_cast<int>(text.size()), SQLITE_STATIC);
    return *this;
}

Statement& Statement::bind_blob(std::string_view bytes) {
    const void* data = bytes.data() == nullptr ? "" : bytes.data();
    sqlite3_bind_blob(statement_.get(), ++bound_, data, static_cast<int>(bytes.size()), SQLITE_STATIC);
    return *this;
}

Statement& Statement::bind_null() {
    sqlite3_bind_null(statement_.get(), ++bound_);
    return *this;
}

Result<void> Statement::run() {
    const auto row = next();
    sqlite3_reset(statement_.get());
    bound_ = 0;
    if (!row) return row.error();
    return {};
}

Result<bool> Statement::next() {
    const int step = sqlite3_step(statement_.get());
    if (step == SQLITE_ROW) return true;
    if (step == SQLITE_DONE) return false;
    auto* database = sqlite3_db_handle(statement_.get());
    return error_of(database, what_ + ": ", loss_);
}

bool Statement::is_null(int column) const {
    return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
}

std::int64_t Statement::integer(int column) const {
    return sqlite3_column_int64(statement_.get(), column);
}

std::string_view Statement::text(int column) const {
    const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_.get(), column));
    return {text, static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

std::string_view Statement::blob(int column) const {
    const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement_.get(), column));
    return {bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

void Database::Close::operator()(sqlite3* database) const {
    sqlite3_close(database);
}

Error Database::failed(std::string_view what) const {
    auto* database = database_.get();
    return error_of(database, what_ + ": cannot " + std::string(what) + ": ", loss_);
}

Result<Database> Database::open(const std::string& path, const DatabaseOptions& options) {
    const int flags =
        (options.read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE) | SQLITE_OPEN_NOMUTEX;
    sqlite3* raw = nullptr;
    const int opened = sqlite3_open_v2(path.c_str(), &raw, flags, nullptr);
    Database database(std::unique_ptr<sqlite3, Close>(raw), options.what, options.loss);
    if (opened != SQLITE_OK) return database.failed("open " + path);
    sqlite3_busy_timeout(raw, kBusyMilliseconds);
    if (options.read_only) return database;
    // The journal stays small: it is rewritten often, and a gateway's flash pays for each page.
    const auto pragmas = std::string(options.alone ? "PRAGMA locking_mode = EXCLUSIVE; " : "") +
                         "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = " +
                         std::to_string(options.checkpoint_pages);
    auto done = database.execute(pragmas, "open " + path);
    if (!done && sqlite3_extended_errcode(raw) == SQLITE_IOERR_SHMSIZE && !options.alone) {
        database.database_.reset();
        auto alone = options;
        alone.alone = true;
        return open(path, alone);
    }
    if (!done) return done.error();
    int keep = 1;  // the journal, when it is closed: a disk without inodes has none to make it anew
    sqlite3_file_control(raw, "main", SQLITE_FCNTL_PERSIST_WAL, &keep);
    if (done = database.migrate(path, options.migrations); !done) return done.error();
    if (options.keep_space) database.keep_space(path, options.checkpoint_pages + kSparePages);
    return database;
}

/// Makes the file and its journal as large as small changes will ever need them, and keeps them so: a full disk has no
/// block to give, and what is deleted to make room on it may first have to be noted here. Where it is full already,
/// this gets what there is.
void Database::keep_space(const std::string& path, int pages) {
    static_cast<void>(execute("DROP TABLE IF EXISTS reserve", "keep space"));  // of a process that was killed here
    const auto page_bytes = pragma("PRAGMA page_size");
    const auto free_pages = pragma("PRAGMA freelist_count");
    if (!page_bytes || !free_pages) return;
    std::error_code error;
    const auto journal_bytes = std::filesystem::file_size(path + "-wal", error);
    const auto wanted_bytes = static_cast<std::uint64_t>(*page_bytes * pages);
    if (!error && journal_bytes >= wanted_bytes && *free_pages >= kSparePages) return;
    // Written, not only allocated, and committed once before they are free pages again: else SQLite leaves them out.
    const auto done = in_transaction([&] {
        return execute("CREATE TABLE reserve (bytes BLOB); INSERT INTO reserve VALUES (zeroblob(" +
                           std::to_string(wanted_bytes) + "))",
                       "keep space");
    });
    if (done) static_cast<void>(execute("DROP TABLE reserve", "keep space"));
}

Result<std::int64_t> Database::pragma(const char* sql) {
    auto statement = prepare(sql, "read its state");
    if (!statement) return statement.error();
    if (const auto row = statement->next(); !row) return row.error();
    return statement->integer(0);
}

Result<void> Database::execute(const std::string& sql, std::string_view what) {
    if (sqlite3_exec(database_.get(), sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) return failed(what);
    return {};
}

Result<Statement> Database::prepare(const char* sql, std::string_view what) {
    sqlite3_stmt* raw = nullptr;
    if (sqlite3_prepare_v2(database_.get(), sql, -1, &raw, nullptr) != SQLITE_OK) return failed(what);
    return Statement(raw, what_ + ": cannot " + std::string(what), loss_);
}

Result<void> Database::in_transaction(const std::function<Result<void>()>& change) {
    auto result = attempt(change);
    if (result || result.error().kind() != Errc::no_space) return result;
    // What the journal has is in its place then, and the next change begins at the journal's start: space that is
    // there.
    if (auto done = execute("PRAGMA wal_checkpoint", "make room in its journal"); !done) return result;
    return attempt(change);
}

Result<void> Database::attempt(const std::function<Result<void>()>& change) {
    if (auto done = execute("BEGIN IMMEDIATE", "begin"); !done) return done;
    auto result = change();
    if (result) result = execute("COMMIT", "commit");
    if (!result) static_cast<void>(execute("ROLLBACK", "roll back"));
    return result;
}

Result<void> Database::migrate(const std::string& path, std::span<const char* const> migrations) {
    const auto stored = pragma("PRAGMA user_version");
    if (!stored) return stored.error();
    const auto version = static_cast<std::size_t>(*stored);
    if (version > migrations.size()) {
        return Error(Errc::invalid, path + " was written by a newer sluice (schema " + std::to_string(version) +
                                        ", this one knows " + std::to_string(migrations.size()) + "): update sluice");
    }
    for (auto next = version; next < migrations.size(); ++next) {
        const std::string sql = std::string("BEGIN IMMEDIATE; ") + migrations[next] +
                                "; PRAGMA user_version = " + std::to_string(next + 1) + "; COMMIT";
        if (auto done = execute(sql, "create its tables"); !done) return done;
    }
    return {};
}

}  // namespace sluice::storage
