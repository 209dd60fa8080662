#include "agent/sql/json_value.hpp"

#include "agent/query/json_field.hpp"

#include <array>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <optional>
#include <string_view>

namespace sluice::agent::sql {

using query::JsonPath;
using query::JsonToken;

namespace {

constexpr std::size_t kDigitsMax = 15;  // any number of so many digits is exact in a double

struct FinalizeWalk {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Statement = std::unique_ptr<sqlite3_stmt, FinalizeWalk>;

bool is_name_char(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/// Takes a name off the front, or [N].
bool take_step(std::string_view& text, JsonPath& path) {
    const bool index = text.front() == '[';
    text.remove_prefix(1);
    std::size_t end = 0;
    while (end < text.size() && is_name_char(text[end])) ++end;
    if (end == 0) return false;
    JsonPath::Step step{std::string(text.substr(0, end)), {}};
    text.remove_prefix(end);
    if (index) {
        std::size_t number = 0;
        const auto* const last = step.name.data() + step.name.size();
        const auto parsed = std::from_chars(step.name.data(), last, number);
        if (parsed.ec != std::errc() || parsed.ptr != last || text.empty() || text.front() != ']') return false;
        text.remove_prefix(1);
        step.index = number;
    }
    path.steps.push_back(std::move(step));
    return true;
}

/// nullopt: it is for SQLite to say what it means
std::optional<JsonPath> simple_path(std::string_view text) {
    JsonPath path;
    if (text.empty()) return std::nullopt;
    if (text.front() != '$') {
        if (text.front() >= '0' && text.front() <= '9') return std::nullopt;
        for (const char c : text) {
            if (!is_name_char(c)) return std::nullopt;
        }
        path.steps.push_back({std::string(text), {}});
        return path;
    }
    text.remove_prefix(1);
    while (!text.empty()) {
        if ((text.front() != '.' && text.front() != '[') || !take_step(text, path)) return std::nullopt;
    }
    return path;
}

/// What SQLite's conversion gives, whichever way its version takes: nullopt where ways might differ in the last bit.
std::optional<double> exact_real(std::string_view text) {
    static constexpr std::array<long double, kDigitsMax + 1> kPowers{
        1e0L, 1e1L, 1e2L, 1e3L, 1e4L, 1e5L, 1e6L, 1e7L, 1e8L, 1e9L, 1e10L, 1e11L, 1e12L, 1e13L, 1e14L, 1e15L};
    const bool negative = text.front() == '-';
    std::int64_t digits = 0;
    std::size_t count = 0;
    std::size_t behind_point = 0;
    bool point = false;
    for (const char c : text.substr(negative ? 1 : 0)) {
        if (c == '.') {
            point = true;
            continue;
        }
        if (c < '0' || c > '9' || ++count > kDigitsMax) return std::nullopt;
        digits = digits * 10 + (c - '0');
        if (point) ++behind_point;
    }
    if (digits == 0) return negative ? std::nullopt : std::optional(0.0);
    const long double quotient = static_cast<long double>(digits) / kPowers[behind_point];
    if constexpr (std::numeric_limits<long double>::digits == 64) {
        // Rounded to 64 bits, then to 53: right, unless the first step has landed half way.
        std::uint64_t bits = 0;
        std::memcpy(&bits, &quotient, sizeof bits);
        constexpr std::uint64_t kCut = 0x7ff;
        constexpr std::uint64_t kHalf = 0x400;
        const auto cut = bits & kCut;
        if (cut >= kHalf - 2 && cut <= kHalf + 2) return std::nullopt;
    }
    const auto number = static_cast<double>(quotient);
    return negative ? -number : number;
}

std::optional<std::int64_t> short_integer(std::string_view text) {
    constexpr std::size_t kCharsMax = 18;
    std::int64_t number = 0;
    if (text.size() > kCharsMax || text == "-0") return std::nullopt;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}

/// @return false where SQLite is to say it
bool answer(sqlite3_context* to, const JsonToken& token) {
    switch (token.kind) {
        case JsonToken::Kind::missing:
        case JsonToken::Kind::null:
            sqlite3_result_null(to);
            return true;
        case JsonToken::Kind::yes:
        case JsonToken::Kind::no:
            sqlite3_result_int(to, token.kind == JsonToken::Kind::yes ? 1 : 0);
            return true;
        case JsonToken::Kind::integer: {
            const auto number = short_integer(token.text);
            if (number) sqlite3_result_int64(to, *number);
            return number.has_value();
        }
        case JsonToken::Kind::real: {
            const auto number = exact_real(token.text);
            if (number) sqlite3_result_double(to, *number);
            return number.has_value();
        }
        case JsonToken::Kind::text:
            sqlite3_result_text64(to, token.text.data(), token.text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
            return true;
        default:
            return false;
    }
}

class JsonValue {
 public:
    explicit JsonValue(sqlite3* original) : original_(original) {
        sqlite3_stmt* made = nullptr;
        sqlite3_prepare_v3(original, "SELECT ?1 ->> ?2", -1, SQLITE_PREPARE_PERSISTENT, &made, nullptr);
        by_sqlite_.reset(made);
    }

    void ask_sqlite(sqlite3_context* to, sqlite3_value** arguments) {
        auto* const statement = by_sqlite_.get();
        sqlite3_bind_value(statement, 1, arguments[0]);
        sqlite3_bind_value(statement, 2, arguments[1]);
        if (sqlite3_step(statement) == SQLITE_ROW) {
            sqlite3_result_value(to, sqlite3_column_value(statement, 0));
        } else {
            sqlite3_result_error(to, sqlite3_errmsg(original_), -1);
        }
        sqlite3_reset(statement);
        sqlite3_clear_bindings(statement);
    }

 private:
    sqlite3* const original_;
    Statement by_sqlite_;
};

/// The path of this call; kept by SQLite as long as it is a constant.
const JsonPath* path_of(sqlite3_context* to, sqlite3_value* argument, std::optional<JsonPath>& here) {
    if (const auto* const kept = static_cast<JsonPath*>(sqlite3_get_auxdata(to, 1))) return kept;
    if (sqlite3_value_type(argument) != SQLITE_TEXT) return nullptr;
    const auto* const text = reinterpret_cast<const char*>(sqlite3_value_text(argument));
    here = simple_path({text, static_cast<std::size_t>(sqlite3_value_bytes(argument))});
    if (!here) return nullptr;
    sqlite3_set_auxdata(to, 1, new JsonPath(*here), [](void* path) { delete static_cast<JsonPath*>(path); });
    return &*here;
}

void json_value(sqlite3_context* to, int /*argc*/, sqlite3_value** arguments) {
    auto& self = *static_cast<JsonValue*>(sqlite3_user_data(to));
    std::optional<JsonPath> here;
    const auto* const path = path_of(to, arguments[1], here);
    if (path != nullptr && sqlite3_value_type(arguments[0]) == SQLITE_TEXT) {
        const auto* const bytes = static_cast<const char*>(sqlite3_value_blob(arguments[0]));
        const std::string_view json(bytes, static_cast<std::size_t>(sqlite3_value_bytes(arguments[0])));
        const auto token = query::find_field(json, *path);
        if (token && answer(to, *token)) return;
    }
    self.ask_sqlite(to, arguments);
}

}  // namespace

void register_json_value(sqlite3* db, sqlite3* original) {
    sqlite3_create_function_v2(db, "->>", 2, SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS,
                               new JsonValue(original), json_value, nullptr, nullptr,
                               [](void* self) { delete static_cast<JsonValue*>(self); });
}

}  // namespace sluice::agent::sql
