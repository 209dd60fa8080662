#include "agent/admin/log_api.hpp"

#include "agent/admin/query_string.hpp"
#include "agent/admin/status_json.hpp"
#include "agent/log/why_json.hpp"
#include "agent/query/curve.hpp"
#include "agent/query/record_search.hpp"
#include "agent/record_json.hpp"
#include "agent/text.hpp"
#include "bridge/payload/timestamp.hpp"

#include <nlohmann/json.hpp>

#include <charconv>
#include <limits>
#include <variant>

namespace sluice::agent::admin {

namespace {

using Json = nlohmann::ordered_json;
using storage::Offset;

constexpr std::int64_t kRowsMax = 500;
constexpr std::int64_t kRowsDefault = 50;
constexpr std::int64_t kPointsMax = 4000;
constexpr std::int64_t kPointsDefault = 1000;
constexpr std::size_t kValueBytesMax = 16U << 10U;
constexpr auto kSeriesTimeMax = std::chrono::seconds(3);
constexpr std::int64_t kOffsetMax = std::numeric_limits<std::int64_t>::max() / 2;

Response json_response(const Json& json) {
    return {200, "application/json", dump(json)};
}

/// What a key looks like in our JSON: "base64:…" where it is no UTF-8.
std::string key_of(const std::string& text) {
    constexpr std::string_view kMark = "base64:";
    if (!text.starts_with(kMark)) return text;
    const auto bytes = from_base64(std::string_view(text).substr(kMark.size()));
    return bytes ? *bytes : text;
}

/// @return nullopt: neither an offset nor a time
std::optional<query::SearchBound> bound_of(const std::optional<std::string>& text) {
    if (!text || text->empty()) return query::SearchBound{};
    std::int64_t offset = 0;
    const auto* end = text->data() + text->size();
    const auto parsed = std::from_chars(text->data(), end, offset);
    if (parsed.ec == std::errc() && parsed.ptr == end && offset >= 0) return query::SearchBound{Offset(offset), {}};
    const auto time = bridge::parse_rfc3339(*text);
    if (!time) return std::nullopt;
    return query::SearchBound{{}, *time};
}

/// What each of these paths needs; or why it isn't there.
std::variant<std::pair<QueryString, const storage::Log*>, Response> open(const Request& request,
                                                                         const LogSource& source) {
    auto asked = QueryString::parse(request.query);
    if (!asked) return make_error(400, "the query is not percent-encoded, or names something twice");
    const auto stream = asked->find("stream");
    if (!stream) return make_error(400, "stream is missing");
    const auto* log = source.log(*stream);
    if (log == nullptr) return make_error(404, "there is no such stream");
    return std::pair(std::move(*asked), log);
}

Response records(const QueryString& asked, const storage::Log& log) {
    const auto from = bound_of(asked.find("from"));
    const auto to = bound_of(asked.find("to"));
    if (!from || !to) return make_error(400, "from and to are offsets or times (RFC 3339)");
    const auto limit = asked.number("limit", 1, kRowsMax, kRowsDefault);
    if (!limit) return make_error(400, "limit is from 1 to " + std::to_string(kRowsMax));
    const auto order = asked.find("order").value_or("newest");
    if (order != "newest" && order != "oldest") return make_error(400, "order is newest or oldest");
    query::RecordSearch search;
    search.from = *from;
    search.to = *to;
    if (const auto key = asked.find("key"); key && !key->empty()) search.key = key_of(*key);
    search.text = asked.find("text").value_or("");
    search.newest_first = order == "newest";
    search.limit = static_cast<std::size_t>(*limit);
    const auto found = query::search_records(log, search, [](const storage::RecordView& record) {
        return record_json(record, kValueBytesMax).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    });
    if (!found) return make_error(500, "the log of this stream can't be read (the agent's log says more)");
    Response response;
    response.body = "{\"records\":[";
    for (const auto& row : found->rows) response.body += (&row == found->rows.data() ? "" : ",") + row;
    response.body += "],\"scanned\":" + std::to_string(found->scanned) +
                     ",\"next\":" + (found->next ? std::to_string(found->next->value()) : "null") + "}\n";
    return response;
}

Response series(const QueryString& asked, const storage::Log& log, const LogSource& source) {
    const auto key = asked.find("key");
    const auto field = asked.find("field");
    const auto from = bridge::parse_rfc3339(asked.find("from").value_or(""));
    const auto to = bridge::parse_rfc3339(asked.find("to").value_or(""));
    const auto points = asked.number("points", 4, kPointsMax, kPointsDefault);
    if (!key || !field || !from || !to || !points) {
        return make_error(400,
                          "series needs key, field (a JSON pointer), from and to (RFC 3339); points is from 4 to " +
                              std::to_string(kPointsMax));
    }
    storage::PosixFileSystem files;
    query::CurveRequest request;
    request.data_dir = source.data_dir;
    request.stream = log.name();
    request.key = key_of(*key);
    request.pointer = *field;
    request.from = *from;
    request.to = *to;
    request.points_max = static_cast<std::size_t>(*points);
    request.end = log.high_watermark();
    request.deadline = std::chrono::steady_clock::now() + kSeriesTimeMax;
    const auto curve = query::read_curve(files, request);
    if (!curve && curve.error().kind() == storage::Errc::invalid) {
        return make_error(400, "field is no JSON pointer, or to is before from");
    }
    if (!curve) return make_error(500, "the log of this stream can't be read (the agent's log says more)");
    Json json = {{"found", curve->found},     {"not_numbers", curve->not_numbers},
                 {"damaged", curve->damaged}, {"complete", curve->complete},
                 {"time", Json::array()},     {"value", Json::array()}};
    for (const auto& point : curve->points) {
        json["time"].push_back(point.timestamp.time_since_epoch().count());
        json["value"].push_back(point.value);
    }
    return json_response(json);
}

Response fate(const QueryString& asked, const storage::Log& log, const LogSource& source) {
    const auto offset = asked.number("offset", 0, kOffsetMax, -1);
    if (!offset || *offset < 0) return make_error(400, "offset is missing, or no offset");
    storage::PosixFileSystem files;
    const auto streams = find_streams(files, source.data_dir, log.name());
    if (streams && !streams->empty()) {
        const auto answer = why(files, source.data_dir, streams->front(), Offset(*offset));
        if (answer) return json_response(why_json(*answer));
    }
    return make_error(500, "what became of this record can't be read (sluice why says more)");
}

}  // namespace

void add_log_paths(Router& router, const LogSource& source) {
    using Answer = Response (*)(const QueryString&, const storage::Log&, const LogSource&);
    const auto add = [&](const char* path, Answer answer) {
        router.query(path, [&source, answer](const Request& request, bool) {
            auto opened = open(request, source);
            if (auto* refusal = std::get_if<Response>(&opened)) return std::move(*refusal);
            const auto& [asked, log] = std::get<0>(opened);
            return answer(asked, *log, source);
        });
    };
    add("/api/v1/records",
        [](const QueryString& asked, const storage::Log& log, const LogSource&) { return records(asked, log); });
    add("/api/v1/series", series);
    add("/api/v1/why", fate);
}

}  // namespace sluice::agent::admin
