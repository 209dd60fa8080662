#include "agent/sql/session.hpp"

#include "tests/unit/agent/query/support.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <thread>

using namespace sluice;
using namespace sluice::agent::sql;
using namespace sluice::test;

namespace {

std::string shown(const SqlValue& value) {
    switch (value.kind) {
        case SqlValue::Kind::null:
            return "null";
        case SqlValue::Kind::integer:
            return std::to_string(value.integer);
        case SqlValue::Kind::real:
            return std::to_string(value.real);
        case SqlValue::Kind::text:
            return std::string(value.bytes);
        case SqlValue::Kind::blob:
            return "blob:" + std::string(value.bytes);
    }
    return "";
}

struct Asked {
    explicit Asked(const std::string& directory) {
        SqlSource source;
        source.data_dir = directory;
        session = must(SqlSession::open(files, std::move(source)));
    }
    /// Rows as "a|b;c|d".
    std::string operator()(std::string_view sql, const SqlLimits& limits = {}) {
        std::string all;
        SqlSink sink;
        sink.row = [&](std::span<const SqlValue> row) {
            if (!all.empty()) all += ';';
            for (std::size_t i = 0; i < row.size(); ++i) all += (i == 0 ? "" : "|") + shown(row[i]);
            return true;
        };
        failure = session->run(sql, limits, sink, done);
        return failure ? "failed: " + failure->message : all;
    }

    storage::PosixFileSystem files;
    std::unique_ptr<SqlSession> session;
    SqlDone done;
    std::optional<SqlFailure> failure;
};

/// 1,000 batches of ten records: pump-0 to pump-9, a second each batch; in segments of some hundred batches.
struct Telemetry {
    Telemetry() {
        for (int i = 0; i < 1000; ++i) {
            std::vector<storage::Record> records;
            for (int device = 0; device < 10; ++device) {
                records.push_back(measured("pump-" + std::to_string(device), kBeginMs + i * 1000,
                                           "{\"temperature\":" + std::to_string(i % 100) + ".5}"));
            }
            data.append(records);
        }
        data.close();
    }
    DataDir data{32 << 10};
    Asked ask{data.path()};
};

}  // namespace

TEST_CASE("sql: a stream is a table") {
    Telemetry t;
    CHECK(t.ask("select count(*) from telemetry") == "10000");
    CHECK(t.ask("select * from telemetry limit 2") ==
          "0|1700000000000|pump-0|{\"temperature\":0.5};1|1700000000000|pump-1|{\"temperature\":0.5}");
    CHECK(t.ask("select key, avg(value ->> '$.temperature') from telemetry where key < 'pump-2' group by key") ==
          "pump-0|50.000000;pump-1|50.000000");
    CHECK(t.ask("select size, headers from telemetry where offset = 7") == "25|{}");
}

TEST_CASE("sql: a narrow question doesn't read the log from its start") {
    Telemetry t;
    const auto read = [&](const std::string& sql) {
        t.ask(sql);
        return t.ask.done.scanned.batches;
    };
    REQUIRE(must(agent::find_streams(t.data.files, t.data.path()))[0].segments.size() > 5);
    CHECK(read("select * from telemetry where offset = 5000") == 1);
    CHECK(t.ask.done.scanned.bytes < 8192);
    CHECK(read("select * from telemetry where offset between 5000 and 5009") == 1);
    CHECK(read("select * from telemetry where offset >= 9980") == 2);
    CHECK(read("select * from telemetry order by offset limit 1") == 1);
    CHECK(read("select * from telemetry order by offset desc limit 15") == 2);
    CHECK(t.ask.done.scanned.segments == 1);
    CHECK(t.ask("select offset from telemetry order by offset desc limit 12") ==
          "9999;9998;9997;9996;9995;9994;9993;9992;9991;9990;9989;9988");
    const auto since = std::to_string(kBeginMs + 990'000);
    CHECK(read("select * from telemetry where timestamp >= " + since) == 10);
    CHECK(t.ask.done.scanned.segments == 1);
    CHECK(t.ask("select count(*) from telemetry where timestamp > " + since) == "90");
}

TEST_CASE("sql: a record of a clock that jumped is found, whichever bounds the time has") {
    DataDir data(300);
    for (const std::int64_t at : {100, 900, 200, 300, 150, 400, 800}) data.append({measured("k", at, "{}")});
    data.close();
    Asked ask(data.path());
    for (int first = 0; first <= 1000; first += 50) {
        for (int last = first; last <= 1000; last += 50) {
            const auto range = std::to_string(first) + " and timestamp <= " + std::to_string(last);
            const auto pushed = ask("select offset from telemetry where timestamp >= " + range);
            const auto all = ask("select offset from telemetry where +timestamp >= " + range + " + 0 + 0");
            CAPTURE(range);
            CHECK(pushed == all);
        }
    }
    CHECK(ask("select offset from telemetry where timestamp > 300 order by offset desc") == "6;5;1");
}

TEST_CASE("sql: bounds of other types, collations and lists give what SQLite alone gives") {
    Telemetry t;
    for (const auto* const condition :
         {"{} > 9997.5", "{} < 2.5", "{} = 3.0", "{} >= '9998'", "{} > 'x'", "{} < x'00'", "{} = null", "{} > -1e300",
          "{} < 1e300 and {} > 9990", "{} in (3, 5, 3)", "{} between 9 and 3", "{} > 9223372036854775806",
          "{} <= -9223372036854775807", "{} is null", "{} is not 4 and {} < 8"}) {
        std::string pushed(condition);
        std::string alone(condition);
        for (std::size_t at = 0; (at = pushed.find("{}")) != std::string::npos;) pushed.replace(at, 2, "offset");
        for (std::size_t at = 0; (at = alone.find("{}")) != std::string::npos;) {
            alone.replace(at, 2, "(select o.offset where 1)");
        }
        CAPTURE(pushed);
        CHECK(t.ask("select count(*), min(offset) from telemetry where " + pushed) ==
              t.ask("select count(*), min(offset) from telemetry o where " + alone));
    }
    CHECK(t.ask("select count(*) from telemetry where key = 'PUMP-3'") == "0");
    CHECK(t.ask("select count(*) from telemetry where key = 'PUMP-3' collate nocase") == "1000");
    CHECK(t.ask("select count(*) from telemetry where key in ('pump-3', 'pump-4', 'x')") == "2000");
    CHECK(t.ask.done.scanned.batches == 1000);
    CHECK(t.ask("select count(*) from telemetry where key = x'70756d702d33'") == "0");
    CHECK(t.ask("select count(*) from telemetry where offset < 15 or offset > 9990") == "24");
}

TEST_CASE("sql: only records below the end that may be seen") {
    Telemetry t;
    SqlSource source;
    source.data_dir = t.data.path();
    source.end_of = [](const std::string&) { return std::optional(storage::Offset(4711)); };
    t.ask.session = must(SqlSession::open(t.data.files, std::move(source)));
    CHECK(t.ask("select count(*) from telemetry") == "4711");
    CHECK(t.ask("select offset from telemetry order by offset desc limit 1") == "4710");
}

TEST_CASE("sql: bytes of any kind: null, text, blobs, headers") {
    DataDir data;
    storage::Record one;
    one.value = std::string("\xff\x00x", 3);
    one.headers = {{"topic", "a/b"}, {"none", std::nullopt}, {"raw", "\xfe"}};
    data.append({one});
    storage::Record tombstone;
    tombstone.key = std::string("k\0y", 3);
    data.append({tombstone});
    data.close();
    Asked ask(data.path());
    CHECK(ask("select key, typeof(value), length(value), headers from telemetry where offset = 0") ==
          R"(null|blob|3|{"topic":"a/b","none":null,"raw_base64":"/g=="})");
    CHECK(ask("select typeof(key), hex(key), value from telemetry where offset = 1") == "blob|6B0079|null");
    CHECK(ask("select headers ->> 'topic' from telemetry order by offset desc") == "null;a/b");
}

TEST_CASE("sql: nothing is written, attached or set") {
    Telemetry t;
    const std::string only = "failed: only SELECT is allowed: the log is not changed by SQL";
    for (const auto* const sql :
         {"attach 'x.db' as x", "create table t(a)", "pragma temp_store", "vacuum into 'x.db'", "begin",
          "create temp table t(a)", "drop view alerts", "update telemetry set key = 'x'", "delete from telemetry",
          "insert into telemetry(key) values ('x')", "create virtual table x using stream('telemetry')",
          "explain delete from telemetry", "analyze", "reindex"}) {
        CAPTURE(sql);
        const auto said = t.ask(sql);
        CHECK((said == only || said == "failed: table telemetry may not be modified"));
    }
    CHECK(t.ask("select load_extension('x')").starts_with("failed: "));
    CHECK(t.ask("select count(*) from telemetry") == "10000");
}

TEST_CASE("sql: an error says where in the query it is") {
    Telemetry t;
    CHECK(t.ask("select kei from telemetry") == "failed: no such column: kei");
    CHECK(t.ask.failure->at == 7);
    t.ask("select 1; select * form telemetry");
    CHECK(t.ask.failure->at == 19);
    CHECK(t.ask("select now('yesterday')").find("'yesterday'") != std::string::npos);
    CHECK(t.ask("select value ->> '$.x' from (select 'no JSON' as value)") == "failed: malformed JSON");
}

TEST_CASE("sql: limits of rows, bytes, time and memory; and a cancel") {
    Telemetry t;
    SqlLimits limits;
    limits.rows = 3;
    CHECK(t.ask("select offset from telemetry", limits) == "0;1;2");
    CHECK(t.ask.done.cut);
    CHECK(t.ask("select offset from telemetry where offset < 3", limits) == "0;1;2");
    CHECK(!t.ask.done.cut);
    limits = {};
    limits.bytes = 20;
    CHECK(t.ask("select key from telemetry", limits) == "pump-0;pump-1;pump-2");
    CHECK(t.ask.done.cut);
    limits = {};
    limits.time = std::chrono::milliseconds(50);
    const std::string endless = "with recursive n(i) as (select 1 union all select i + 1 from n) select max(i) from n";
    t.ask(endless, limits);
    REQUIRE(t.ask.failure);
    CHECK(t.ask.failure->kind == SqlFailure::Kind::timed_out);
    // Rows that never come: the scan itself looks at the clock.
    limits.time = std::chrono::milliseconds(0);
    t.ask("select 1 from telemetry where key = 'nobody'", limits);
    REQUIRE(t.ask.failure);
    CHECK(t.ask.failure->kind == SqlFailure::Kind::timed_out);
    limits = {};
    limits.memory_bytes = 4U << 20U;
    t.ask("with recursive n(i) as (select 1 union all select i + 1 from n) select i, count(*) from n group by i",
          limits);
    REQUIRE(t.ask.failure);
    CHECK(t.ask.failure->kind == SqlFailure::Kind::memory);
    std::thread other([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
        t.ask.session->cancel();
    });
    t.ask(endless);
    other.join();
    REQUIRE(t.ask.failure);
    CHECK(t.ask.failure->kind == SqlFailure::Kind::cancelled);
    CHECK(t.ask("select 1") == "1");
}

TEST_CASE("sql: times in the unit of the timestamp column") {
    Telemetry t;
    CHECK(t.ask("select time_text(1700000000123), time_text(null)") == "2023-11-14T22:13:20.123Z|null");
    CHECK(t.ask("select time_ms('2023-11-14T22:13:20.123Z'), time_ms('2023-11-14 22:13:20', '+1 day')") ==
          "1700000000123|1700086400000");
    CHECK(t.ask("select now() - now('-1 hour'), now() = now('+0 seconds')") == "3600000|1");
    CHECK(t.ask("select now('start of day') % 86400000") == "0");
}

TEST_CASE("sql: streams, alerts and gaps") {
    DataDir data;
    data.append({measured("k", 5, "{}")});
    data.open("sluice.events");
    data.append({measured("gw", 7,
                          R"({"event":"gap","stream":"telemetry","first_offset":3,"next_offset":5,)"
                          R"("count":2,"reason":"retention"})"),
                 measured("gw", 8, R"({"event":"outage_begin"})")});
    data.close();
    Asked ask(data.path());
    CHECK(ask("select stream, log_start_offset, log_end_offset, forwarded from streams order by stream") ==
          "sluice.events|0|2|null;telemetry|0|1|null");
    CHECK(ask("select stream, first_offset, count, reason from gaps") == "telemetry|3|2|retention");
    CHECK(ask("select count(*) from alerts") == "0");
    CHECK(ask("select count(*) from devices") == "0");
    data.open("alerts");
    data.append({measured("p/hot", 9, R"({"id":"a1","state":"firing","rule":"hot","device":"p"})")});
    data.close();
    CHECK(ask("select rule, device, state, timestamp from alerts") == "hot|p|firing|9");
    CHECK(ask("select count(*) from alerts_stream") == "1");
    const auto tables = ask.session->tables();
    REQUIRE(tables.size() == 7);
    CHECK(tables.back().name == "telemetry");
    CHECK(tables.back().columns == "offset, timestamp, key, value, headers, size");
}

TEST_CASE("sql session: streams with names that SQLite takes for others") {
    DataDir data;
    for (const auto* stream : {"Alerts", "sqlite_x"}) {
        data.open(stream);
        data.append({measured("a", kBeginMs, "{}")});
    }
    data.close();
    Asked ask(data.path());
    CHECK(ask("select count(*) from Alerts_stream") == "1");
    CHECK(ask("select count(*) from stream_sqlite_x") == "1");
    CHECK(ask("select count(*) from alerts") == "0");
}
