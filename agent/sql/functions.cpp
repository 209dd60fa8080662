#include "agent/sql/functions.hpp"

#include "agent/sql/tables_json.hpp"
#include "agent/text.hpp"

#include <span>
#include <string>

namespace sluice::agent::sql {

namespace {

struct Functions {
    SqlContext& context;
    sqlite3* original;
};

Functions& self_of(sqlite3_context* to) {
    return *static_cast<Functions*>(sqlite3_user_data(to));
}

std::string text_of(sqlite3_value* value) {
    const auto* const text = reinterpret_cast<const char*>(sqlite3_value_text(value));
    return text == nullptr ? "" : std::string(text, static_cast<std::size_t>(sqlite3_value_bytes(value)));
}

/// By SQLite: it knows the modifiers.
void give_time(sqlite3_context* to, sqlite3* original, const std::string& time, std::span<sqlite3_value*> modifiers) {
    std::string sql = "SELECT CAST(round((julianday(?1";
    for (std::size_t i = 0; i < modifiers.size(); ++i) sql += ",?" + std::to_string(i + 2);
    sql += ") - 2440587.5) * 86400000.0) AS INTEGER)";
    sqlite3_stmt* statement = nullptr;
    if (sqlite3_prepare_v2(original, sql.c_str(), -1, &statement, nullptr) != SQLITE_OK) {
        sqlite3_result_error(to, sqlite3_errmsg(original), -1);
        return;
    }
    sqlite3_bind_text(statement, 1, time.c_str(), -1, SQLITE_STATIC);
    std::string said;
    for (std::size_t i = 0; i < modifiers.size(); ++i) {
        sqlite3_bind_value(statement, static_cast<int>(i) + 2, modifiers[i]);
        said += (i == 0 ? "'" : ", '") + text_of(modifiers[i]) + "'";
    }
    if (sqlite3_step(statement) == SQLITE_ROW && sqlite3_column_type(statement, 0) == SQLITE_INTEGER) {
        sqlite3_result_value(to, sqlite3_column_value(statement, 0));
    } else {
        const auto what = "no time: '" + time + "'" + (said.empty() ? "" : " moved by " + said) +
                          " (write '2026-01-31T12:00:00', and modifiers such as '-1 hour' or 'start of day')";
        sqlite3_result_error(to, what.c_str(), -1);
    }
    sqlite3_finalize(statement);
}

void now(sqlite3_context* to, int argc, sqlite3_value** argv) {
    const auto& self = self_of(to);
    if (argc == 0) {
        sqlite3_result_int64(to, self.context.now.time_since_epoch().count());
        return;
    }
    give_time(to, self.original, format_time(self.context.now), std::span(argv, static_cast<std::size_t>(argc)));
}

void time_ms(sqlite3_context* to, int argc, sqlite3_value** argv) {
    const auto arguments = std::span(argv, static_cast<std::size_t>(argc));
    if (arguments.empty()) {
        sqlite3_result_error(to, "time_ms() takes a time: time_ms('2026-01-31T12:00:00')", -1);
    } else if (sqlite3_value_type(arguments[0]) != SQLITE_NULL) {
        give_time(to, self_of(to).original, text_of(arguments[0]), arguments.subspan(1));
    }
}

void time_text(sqlite3_context* to, int /*argc*/, sqlite3_value** argv) {
    if (sqlite3_value_type(argv[0]) == SQLITE_NULL) return;
    const auto text = format_time(storage::Timestamp(std::chrono::milliseconds(sqlite3_value_int64(argv[0]))));
    sqlite3_result_text64(to, text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
}

using ToJson = storage::Result<std::string> (*)(SqlContext&);

template <ToJson to_json>
void table(sqlite3_context* to, int /*argc*/, sqlite3_value** /*argv*/) {
    const auto json = to_json(self_of(to).context);
    if (json) {
        sqlite3_result_text64(to, json->data(), json->size(), SQLITE_TRANSIENT, SQLITE_UTF8);
    } else {
        sqlite3_result_error(to, json.error().message().c_str(), -1);
    }
}

}  // namespace

void register_functions(sqlite3* db, SqlContext& context, sqlite3* original) {
    const auto add = [&](const char* name, int arguments, int flags, auto function) {
        sqlite3_create_function_v2(db, name, arguments, SQLITE_UTF8 | SQLITE_INNOCUOUS | flags,
                                   new Functions{context, original}, function, nullptr, nullptr,
                                   [](void* self) { delete static_cast<Functions*>(self); });
    };
    // Of one query, which each preparation is for: now() doesn't change in it.
    add("now", -1, SQLITE_DETERMINISTIC, now);
    add("time_ms", -1, SQLITE_DETERMINISTIC, time_ms);
    add("time_text", 1, SQLITE_DETERMINISTIC, time_text);
    add("sluice_streams", 0, 0, table<streams_json>);
    add("sluice_devices", 0, 0, table<known_devices_json>);
}

}  // namespace sluice::agent::sql
