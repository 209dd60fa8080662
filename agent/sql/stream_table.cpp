#include "agent/sql/stream_table.hpp"

#include "agent/sql/stream_plan.hpp"
#include "agent/sql/stream_rows.hpp"
#include "agent/text.hpp"

#include <nlohmann/json.hpp>
#include <simdjson.h>

#include <cstring>
#include <memory>
#include <string>
#include <utility>

namespace sluice::agent::sql {

using storage::Errc;
using storage::Error;

namespace {

struct Table : sqlite3_vtab {
    Table(SqlContext& of, std::string name) : sqlite3_vtab{}, context(of), stream(std::move(name)) {}
    SqlContext& context;
    const std::string stream;
};

struct Cursor : sqlite3_vtab_cursor {
    Cursor() : sqlite3_vtab_cursor{} {}
    std::unique_ptr<StreamRows> rows;
};

Table& table_of(sqlite3_vtab* table) {
    return *static_cast<Table*>(table);
}
Cursor& cursor_of(sqlite3_vtab_cursor* cursor) {
    return *static_cast<Cursor*>(cursor);
}

int failed(sqlite3_vtab* table, const Error& error) {
    if (error.kind() == Errc::closed) return SQLITE_INTERRUPT;
    sqlite3_free(table->zErrMsg);
    table->zErrMsg = sqlite3_mprintf("%s", error.message().c_str());
    return SQLITE_ERROR;
}

/// 'NAME' as it stands in CREATE VIRTUAL TABLE.
std::string unquoted(std::string_view argument) {
    std::string name;
    for (std::size_t i = 1; i + 1 < argument.size(); ++i) {
        name += argument[i];
        if (argument[i] == '\'') ++i;
    }
    return name;
}

int connect(sqlite3* db, void* aux, int argc, const char* const* argv, sqlite3_vtab** made, char** error) {
    constexpr int kNameAt = 3;
    if (argc != kNameAt + 1) {
        *error = sqlite3_mprintf("write stream('NAME')");
        return SQLITE_ERROR;
    }
    const int result = sqlite3_declare_vtab(
        db,
        "CREATE TABLE t(\"offset\" INTEGER PRIMARY KEY NOT NULL, timestamp INTEGER, key TEXT, value TEXT, "
        "headers TEXT HIDDEN, size INTEGER HIDDEN) WITHOUT ROWID");
    if (result == SQLITE_OK) *made = new Table(*static_cast<SqlContext*>(aux), unquoted(argv[kNameAt]));
    return result;
}

int disconnect(sqlite3_vtab* table) {
    delete &table_of(table);
    return SQLITE_OK;
}

int best_index(sqlite3_vtab* /*table*/, sqlite3_index_info* info) {
    return plan_scan(info);
}

int open_cursor(sqlite3_vtab* /*table*/, sqlite3_vtab_cursor** made) {
    *made = new Cursor();
    return SQLITE_OK;
}

int close_cursor(sqlite3_vtab_cursor* cursor) {
    delete &cursor_of(cursor);
    return SQLITE_OK;
}

int next(sqlite3_vtab_cursor* base) {
    auto& cursor = cursor_of(base);
    if (auto done = cursor.rows->next(); !done) return failed(base->pVtab, done.error());
    return SQLITE_OK;
}

int filter(sqlite3_vtab_cursor* base, int flags, const char* plan, int argc, sqlite3_value** argv) {
    auto& cursor = cursor_of(base);
    auto& table = table_of(base->pVtab);
    cursor.rows.reset();
    auto range = range_of(flags, plan, std::span(argv, static_cast<std::size_t>(argc)));
    if (table.context.source.end_of) {
        if (const auto end = table.context.source.end_of(table.stream)) range.last = std::min(range.last, *end + -1);
    }
    auto streams = find_streams(table.context.files, table.context.source.data_dir, table.stream);
    if (!streams) return failed(base->pVtab, streams.error());
    if (streams->front().unreadable) return failed(base->pVtab, *streams->front().unreadable);
    cursor.rows = std::make_unique<StreamRows>(table.context, std::move(streams->front()), std::move(range),
                                               (flags & kCountOnly) != 0);
    return next(base);
}

int is_at_end(sqlite3_vtab_cursor* base) {
    return cursor_of(base).rows->is_at_end() ? 1 : 0;
}

/// Text where it is that, with nothing in it that ends it early; else a BLOB.
void give(sqlite3_context* to, const std::optional<std::string_view>& bytes) {
    if (!bytes) {
        sqlite3_result_null(to);
    } else if (simdjson::validate_utf8(bytes->data(), bytes->size()) &&
               std::memchr(bytes->data(), 0, bytes->size()) == nullptr) {
        sqlite3_result_text64(to, bytes->data(), bytes->size(), SQLITE_TRANSIENT, SQLITE_UTF8);
    } else {
        sqlite3_result_blob64(to, bytes->data(), bytes->size(), SQLITE_TRANSIENT);
    }
}

/// {"NAME": "VALUE", …}; what is no UTF-8 as base64, under NAME_base64.
std::string headers_json(std::span<const storage::HeaderView> headers) {
    auto json = nlohmann::ordered_json::object();
    for (const auto& header : headers) {
        const auto name = is_utf8(header.key) ? std::string(header.key) : base64(header.key) + "_base64";
        if (!header.value) {
            json[name] = nullptr;
        } else if (is_utf8(*header.value)) {
            json[name] = *header.value;
        } else {
            json[name + "_base64"] = base64(*header.value);
        }
    }
    return json.dump();
}

int give_headers(sqlite3_vtab_cursor* base, sqlite3_context* to) {
    const auto headers = cursor_of(base).rows->headers();
    if (!headers) return failed(base->pVtab, headers.error());
    const auto json = headers_json(*headers);
    sqlite3_result_text64(to, json.data(), json.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
    return SQLITE_OK;
}

int column(sqlite3_vtab_cursor* base, sqlite3_context* to, int number) {
    const auto& record = cursor_of(base).rows->record();
    switch (number) {
        case kOffset:
            sqlite3_result_int64(to, record.offset.value());
            break;
        case kTimestamp:
            sqlite3_result_int64(to, record.timestamp.time_since_epoch().count());
            break;
        case kKey:
            give(to, record.key);
            break;
        case kValue:
            give(to, record.value);
            break;
        case kHeaders:
            return give_headers(base, to);
        case kSize:
            sqlite3_result_int64(
                to, static_cast<sqlite3_int64>(record.key.value_or("").size() + record.value.value_or("").size()));
            break;
        default:
            break;
    }
    return SQLITE_OK;
}

sqlite3_module module() {
    sqlite3_module functions{};
    functions.xCreate = connect;
    functions.xConnect = connect;
    functions.xBestIndex = best_index;
    functions.xDisconnect = disconnect;
    functions.xDestroy = disconnect;
    functions.xOpen = open_cursor;
    functions.xClose = close_cursor;
    functions.xFilter = filter;
    functions.xNext = next;
    functions.xEof = is_at_end;
    functions.xColumn = column;
    return functions;
}

const sqlite3_module kModule = module();

}  // namespace

void register_stream_tables(sqlite3* db, SqlContext& context) {
    sqlite3_create_module_v2(db, "stream", &kModule, &context, nullptr);
}

}  // namespace sluice::agent::sql
