#include "storage/catalog.hpp"

#include "storage/catalog_schema.hpp"
#include "storage/sqlite.hpp"

#include <mutex>
#include <utility>

namespace sluice::storage {

struct Catalog::Impl {
    explicit Impl(Database opened) : database(std::move(opened)) {}
    Database database;
    std::mutex mutex;
};

Catalog::Catalog(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Catalog::~Catalog() = default;

Result<std::unique_ptr<Catalog>> Catalog::open(const std::string& path, CatalogMode mode) {
    DatabaseOptions options;
    options.what = "catalog";
    options.loss = "records are safe in the log, and forwarding starts over from its start";
    options.migrations = kCatalogMigrations;
    options.keep_space = true;  // the cursor has to move before what is behind it may be deleted
    options.read_only = mode == CatalogMode::read_only;
    auto database = Database::open(path, options);
    if (!database) return database.error();
    return std::unique_ptr<Catalog>(new Catalog(std::make_unique<Impl>(std::move(*database))));
}

Result<std::optional<Offset>> Catalog::cursor(std::string_view reader, std::string_view stream,
                                              const LogId& log_id) const {
    const std::lock_guard lock(impl_->mutex);
    auto statement = impl_->database.prepare(
        "SELECT next_offset FROM cursor WHERE reader = ? AND stream = ? AND log_id = ?", "read a cursor");
    if (!statement) return statement.error();
    const auto id = log_id.to_string();
    const auto row = statement->bind(reader).bind(stream).bind(id).next();
    if (!row) return row.error();
    return *row ? std::optional(Offset(statement->integer(0))) : std::nullopt;
}

Result<std::vector<Cursor>> Catalog::cursors() const {
    const std::lock_guard lock(impl_->mutex);
    auto statement = impl_->database.prepare("SELECT reader, stream, log_id, next_offset FROM cursor ORDER BY 1, 2",
                                             "read the cursors");
    if (!statement) return statement.error();
    std::vector<Cursor> cursors;
    for (;;) {
        const auto row = statement->next();
        if (!row) return row.error();
        if (!*row) return cursors;
        const auto log_id = LogId::parse(statement->text(2));
        if (!log_id) return Error(Errc::corrupt, "catalog: a cursor's log id is not a UUID");
        cursors.push_back(
            {std::string(statement->text(0)), std::string(statement->text(1)), *log_id, Offset(statement->integer(3))});
    }
}

Result<void> Catalog::store_cursors(const std::vector<Cursor>& cursors) {
    const std::lock_guard lock(impl_->mutex);
    return impl_->database.in_transaction([&]() -> Result<void> {
        auto statement = impl_->database.prepare("INSERT OR REPLACE INTO cursor VALUES (?, ?, ?, ?)", "store a cursor");
        if (!statement) return statement.error();
        for (const auto& cursor : cursors) {
            const auto id = cursor.log_id.to_string();
            statement->bind(cursor.reader).bind(cursor.stream).bind(id).bind(cursor.offset.value());
            if (auto done = statement->run(); !done) return done;
        }
        return {};
    });
}

Result<Catalog::Subscriptions> Catalog::subscriptions(std::string_view source) const {
    const std::lock_guard lock(impl_->mutex);
    auto statement =
        impl_->database.prepare("SELECT filter, qos FROM subscription WHERE source = ?", "read the subscriptions");
    if (!statement) return statement.error();
    statement->bind(source);
    Subscriptions subscriptions;
    for (;;) {
        const auto row = statement->next();
        if (!row) return row.error();
        if (!*row) return subscriptions;
        subscriptions.emplace(statement->text(0), static_cast<int>(statement->integer(1)));
    }
}

Result<void> Catalog::store_subscriptions(std::string_view source, const Subscriptions& subscriptions) {
    const std::lock_guard lock(impl_->mutex);
    return impl_->database.in_transaction([&]() -> Result<void> {
        auto forget = impl_->database.prepare("DELETE FROM subscription WHERE source = ?", "forget the subscriptions");
        if (!forget) return forget.error();
        if (auto done = forget->bind(source).run(); !done) return done;
        auto insert = impl_->database.prepare("INSERT INTO subscription VALUES (?, ?, ?)", "store a subscription");
        if (!insert) return insert.error();
        for (const auto& [filter, qos] : subscriptions) {
            if (auto done = insert->bind(source).bind(filter).bind(qos).run(); !done) return done;
        }
        return {};
    });
}

Result<std::optional<std::string>> Catalog::note(std::string_view name) const {
    const std::lock_guard lock(impl_->mutex);
    auto statement = impl_->database.prepare("SELECT text FROM note WHERE name = ?", "read a note");
    if (!statement) return statement.error();
    const auto row = statement->bind(name).next();
    if (!row) return row.error();
    return *row ? std::optional(std::string(statement->text(0))) : std::nullopt;
}

Result<void> Catalog::store_note(std::string_view name, std::string_view text) {
    const std::lock_guard lock(impl_->mutex);
    auto statement = impl_->database.prepare("INSERT OR REPLACE INTO note VALUES (?, ?)", "store a note");
    if (!statement) return statement.error();
    return statement->bind(name).bind(text).run();
}

}  // namespace sluice::storage
