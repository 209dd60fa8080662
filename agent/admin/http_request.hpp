// http_request.hpp: from HTTP as Boost.Beast parses it to what the router knows, with the limits on both.
#pragma once

#include "agent/admin/http_message.hpp"

#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include <cstddef>
#include <variant>

namespace sluice::agent::admin {

inline constexpr std::size_t kHeaderBytesMax = 8192;
inline constexpr std::size_t kHeadersMax = 64;
inline constexpr std::size_t kBodyBytesMax = 4096;
inline constexpr std::size_t kTargetBytesMax = 2048;

using RequestParser = boost::beast::http::request_parser<boost::beast::http::string_body>;
using HttpRequest = boost::beast::http::request<boost::beast::http::string_body>;
using HttpResponse = boost::beast::http::response<boost::beast::http::string_body>;

/// A parser with our limits. Made anew for each request.
void limit(RequestParser& parser);
/// A request, or the refusal of one that is well-formed and yet not taken.
[[nodiscard]] std::variant<Request, Response> to_request(const HttpRequest& http, bool over_unix);
/// With the headers that every answer has. Of HEAD without the body.
/// @param version  of the request: 10, 11
[[nodiscard]] HttpResponse to_http(Response response, unsigned version, bool keep_alive, bool is_head);

}  // namespace sluice::agent::admin
