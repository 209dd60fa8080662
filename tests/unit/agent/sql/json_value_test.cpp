#include "agent/sql/json_value.hpp"

#include <doctest/doctest.h>
#include <sqlite3.h>

#include <array>
#include <bit>
#include <random>
#include <string>

using namespace sluice::agent::sql;

namespace {

/// What `sql` gives, with its type, every bit of a number, or the error.
std::string answer(sqlite3* db, const std::string& json, const std::string& path) {
    sqlite3_stmt* statement = nullptr;
    REQUIRE(sqlite3_prepare_v2(db, ("SELECT ?1 ->> " + path).c_str(), -1, &statement, nullptr) == SQLITE_OK);
    sqlite3_bind_text(statement, 1, json.data(), static_cast<int>(json.size()), SQLITE_TRANSIENT);
    std::string all;
    if (sqlite3_step(statement) == SQLITE_ROW) {
        all = std::to_string(sqlite3_column_type(statement, 0)) + ":";
        if (sqlite3_column_type(statement, 0) == SQLITE_FLOAT) {
            all += std::to_string(std::bit_cast<std::uint64_t>(sqlite3_column_double(statement, 0)));
        } else if (const auto* const text = sqlite3_column_text(statement, 0)) {
            all += reinterpret_cast<const char*>(text);
        }
    } else {
        all = sqlite3_errmsg(db);
    }
    sqlite3_finalize(statement);
    return all;
}

struct Both {
    Both() {
        sqlite3_open(":memory:", &original);
        sqlite3_open(":memory:", &ours);
        register_json_value(ours, original);
    }
    Both(const Both&) = delete;
    Both& operator=(const Both&) = delete;
    ~Both() {
        sqlite3_close(ours);
        sqlite3_close(original);
    }
    void check(const std::string& json, const std::string& path) const {
        CAPTURE(json);
        CAPTURE(path);
        CHECK(answer(ours, json, path) == answer(original, json, path));
    }
    sqlite3* original = nullptr;
    sqlite3* ours = nullptr;
};

/// A document of some depth, now and then damaged.
std::string document(std::mt19937& random, int depth = 0) {
    static constexpr std::array kScalars{"1",
                                         "-7",
                                         "0",
                                         "-0",
                                         "3.25",
                                         "1e3",
                                         "-0.0",
                                         "0.1",
                                         "true",
                                         "false",
                                         "null",
                                         "\"x\"",
                                         "\"\"",
                                         "01",
                                         "1.",
                                         "\"\\n\"",
                                         "\"é\"",
                                         "nul",
                                         "9223372036854775807",
                                         "9223372036854775808",
                                         "123456789012345678901",
                                         "\"a",
                                         "1.7976931348623157e309",
                                         "4.35",
                                         "-12.000"};
    const auto pick = [&](unsigned n) { return random() % n; };
    const auto kind = depth > 3 ? 0 : pick(4);
    if (kind < 2) return kScalars[pick(kScalars.size())];
    std::string all = kind == 2 ? "[" : "{";
    const auto count = pick(4);
    for (unsigned i = 0; i < count; ++i) {
        if (i > 0) all += pick(40) == 0 ? ",," : ", ";
        if (kind == 3) all += std::string("\"") + "abcA"[pick(4)] + "\"" + (pick(40) == 0 ? "" : ": ");
        all += document(random, depth + 1);
    }
    return all + (pick(40) == 0 ? "" : kind == 2 ? "]" : "}") + (depth == 0 && pick(20) == 0 ? "x" : "");
}

}  // namespace

TEST_CASE("->>: the same answers as SQLite's own, for any document and path") {
    const Both both;
    std::mt19937 random(42);
    static constexpr std::array kPaths{"'$.a'", "'$.a.b'", "'a'",       "'$'",      "'$[0]'",  "'$.a[1]'", "'$.b[0].a'",
                                       "0",     "'$.A'",   "'$.\"a\"'", "'$[#-1]'", "'a.b'",   "'[0]'",    "''",
                                       "'$.'",  "NULL",    "'$x'",      "'$.a['",   "'$[00]'", "'1'",      "-1"};
    for (int i = 0; i < 20'000; ++i) both.check(document(random), kPaths[random() % kPaths.size()]);
}

TEST_CASE("->>: the same bits as SQLite's own, for numbers as devices write them") {
    const Both both;
    std::mt19937_64 random(7);
    for (int i = 0; i < 50'000; ++i) {
        auto digits = std::to_string(random() >> (random() % 64));
        const auto behind = random() % 12;
        if (behind > 0 && digits.size() > behind) digits.insert(digits.size() - behind, ".");
        if (digits.front() == '.') digits.insert(0, "0");
        if (random() % 4 == 0) digits.insert(0, "-");
        both.check("{\"t\":" + digits + "}", "'$.t'");
    }
}
