#include "agent/admin/http_request.hpp"

#include <iterator>
#include <string>
#include <utility>

namespace sluice::agent::admin {

namespace http = boost::beast::http;

namespace {

Method method_of(http::verb verb) {
    switch (verb) {
        case http::verb::get:
            return Method::get;
        case http::verb::head:
            return Method::head;
        case http::verb::post:
            return Method::post;
        default:
            return Method::other;
    }
}

/// Of a header that may stand once: what two of them mean, two readers may see differently.
std::string only(const HttpRequest& request, http::field field) {
    const auto [first, last] = request.equal_range(field);
    if (std::distance(first, last) != 1) return {};
    return std::string(first->value());
}

}  // namespace

void limit(RequestParser& parser) {
    parser.header_limit(static_cast<std::uint32_t>(kHeaderBytesMax));
    parser.body_limit(kBodyBytesMax);
}

std::variant<Request, Response> to_request(const HttpRequest& http, bool over_unix) {
    const auto target = http.target();
    if (static_cast<std::size_t>(std::distance(http.begin(), http.end())) > kHeadersMax) {
        return make_error(431, "too many headers");
    }
    if (target.size() > kTargetBytesMax) return make_error(414, "the path is too long");
    if (!target.starts_with('/')) return make_error(400, "the request names no path");
    Request request;
    request.method = method_of(http.method());
    const auto question = target.find('?');
    request.path = std::string(target.substr(0, question));
    if (question != boost::beast::string_view::npos) request.query = std::string(target.substr(question + 1));
    request.host = only(http, http::field::host);
    request.accept = only(http, http::field::accept);
    request.authorization = only(http, http::field::authorization);
    request.over_unix = over_unix;
    request.accept_encoding = only(http, http::field::accept_encoding);
    request.if_none_match = only(http, http::field::if_none_match);
    return request;
}

HttpResponse to_http(Response response, unsigned version, bool keep_alive, bool is_head) {
    HttpResponse http(static_cast<http::status>(response.status), version);
    http.set(http::field::content_type, response.content_type);
    http.set(http::field::cache_control, "no-store");
    // Whatever an answer quotes of a log or a peer, no browser takes it for a page.
    http.set("X-Content-Type-Options", "nosniff");
    http.set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'");
    for (const auto& [name, value] : response.headers) http.set(name, value);
    http.keep_alive(keep_alive);
    if (response.follows) return http;  // ends with the connection
    http.content_length(response.body.size());
    if (!is_head) http.body() = std::move(response.body);
    return http;
}

}  // namespace sluice::agent::admin
