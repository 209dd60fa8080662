#include "agent/admin/sql_api.hpp"

#include "agent/admin/devices_json.hpp"
#include "agent/admin/query_string.hpp"
#include "agent/admin/status_json.hpp"
#include "agent/sql/session.hpp"
#include "agent/text.hpp"
#include "storage/clock.hpp"

#include <nlohmann/json.hpp>

#include <utility>

namespace sluice::agent::admin {

namespace {

using Json = nlohmann::ordered_json;
using Failed = sql::SqlFailure::Kind;

constexpr sql::SqlLimits kLimits{std::chrono::seconds(5), 1000, 4U << 20U, 32U << 20U, 16U << 20U};

sql::SqlSource source_of(const LogSource& source, const std::function<std::vector<bridge::Device>()>& devices) {
    sql::SqlSource all;
    all.data_dir = source.data_dir;
    all.devices = [&devices]() -> storage::Result<std::string> {
        return dump(devices_json(devices(), storage::SystemClock().now()));
    };
    all.end_of = [&source](const std::string& stream) -> std::optional<storage::Offset> {
        const auto* const log = source.log(stream);
        if (log == nullptr) return std::nullopt;
        return log->high_watermark();
    };
    return all;
}

Json json_of(const sql::SqlValue& value) {
    switch (value.kind) {
        case sql::SqlValue::Kind::null:
            return nullptr;
        case sql::SqlValue::Kind::integer:
            return value.integer;
        case sql::SqlValue::Kind::real:
            return value.real;
        case sql::SqlValue::Kind::text:
            return value.bytes;
        default:
            return "base64:" + base64(value.bytes);
    }
}

Response answer(const QueryString& asked, const sql::SqlSource& source) {
    const auto text = asked.find("query");
    if (!text || text->empty()) return make_error(400, "query is missing");
    storage::PosixFileSystem files;
    const auto session = sql::SqlSession::open(files, source);
    if (!session) return make_error(500, "the log can't be read (the agent's log says more)");
    Json columns = Json::array();
    Json rows = Json::array();
    int statements = 0;
    sql::SqlSink sink;
    sink.columns = [&](const std::vector<std::string>& names) {
        columns = names;
        ++statements;
    };
    sink.row = [&](std::span<const sql::SqlValue> values) {
        auto row = Json::array();
        for (const auto& value : values) row.push_back(json_of(value));
        rows.push_back(std::move(row));
        return statements == 1;
    };
    sql::SqlDone done;
    const auto failure = (*session)->run(*text, kLimits, sink, done);
    if (failure && failure->kind == Failed::wrong) {
        const Json json = {{"error", one_line(failure->message)}, {"at", failure->at ? Json(*failure->at) : Json()}};
        return {400, "application/json", dump(json)};
    }
    if (failure && failure->kind == Failed::failed) {
        return make_error(500, "the log can't be read (the agent's log says more)");
    }
    if (statements > 1) return make_error(400, "one statement at a time");
    Json why = nullptr;
    if (failure) why = failure->message;
    if (done.cut) why = "there are more rows: these are the first of them";
    const Json json = {{"columns", std::move(columns)},
                       {"rows", std::move(rows)},
                       {"complete", why.is_null()},
                       {"why", why},
                       {"batches_read", done.scanned.batches},
                       {"damaged", done.scanned.damaged}};
    return {200, "application/json", dump(json)};
}

}  // namespace

void add_sql_path(Router& router, const LogSource& source, std::function<std::vector<bridge::Device>()> devices) {
    router.query("/api/v1/sql", [&source, devices = std::move(devices)](const Request& request, bool) {
        const auto asked = QueryString::parse(request.query);
        if (!asked) return make_error(400, "the query is not percent-encoded, or names something twice");
        return answer(*asked, source_of(source, devices));
    });
}

}  // namespace sluice::agent::admin
