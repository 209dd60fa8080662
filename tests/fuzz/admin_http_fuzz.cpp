// Any bytes as what a client sends to the admin endpoint: parsed with its limits, routed, answered. Whatever comes,
// over TCP nothing is changed without the token and nothing is read of what needs it; no answer holds what a page is
// made of; what the router took is as large as the limits say.
#include "agent/admin/http_request.hpp"
#include "agent/admin/query_string.hpp"
#include "agent/admin/router.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/error.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

using namespace sluice::agent::admin;

namespace {

const std::string kToken = "0123456789abcdef";

constexpr int kRowsMax = 500;

void expect(bool holds) {
    if (!holds) __builtin_trap();
}

/// A token that stands in the input: the only way in.
bool shows_token(std::string_view bytes) {
    return bytes.find(kToken) != std::string_view::npos;
}

void serve(const HttpRequest& http, bool has_token, std::string_view bytes) {
    int changes = 0;
    int reads = 0;
    Router router({has_token ? std::optional(kToken) : std::nullopt, {"gateway"}});
    router.open("/healthz", [](const Request&, bool) { return Response{200, "application/json", "{}"}; });
    router.get("/metrics", [&](const Request&, bool) {
        ++reads;
        return Response{200, "text/plain", "metrics"};
    });
    router.post("/api/v1/reload", [&](const Request&, bool) {
        ++changes;
        return Response{200, "application/json", "{}"};
    });
    auto request = to_request(http, false);
    if (const auto* asked = std::get_if<Request>(&request)) {
        expect(asked->path.size() + asked->query.size() <= kTargetBytesMax);
        if (const auto query = QueryString::parse(asked->query)) {
            const auto limit = query->number("limit", 1, kRowsMax, 1);
            expect(!limit || (*limit >= 1 && *limit <= kRowsMax));
            expect(query->find("stream").value_or("").size() <= asked->query.size());
        }
        auto answer = router.handle(*asked);
        expect(changes == 0 || (has_token && shows_token(bytes) && asked->method == Method::post));
        expect(reads == 0 || !has_token || shows_token(bytes));
        expect(answer.body.find_first_of("<>&'\r") == std::string::npos);  // which no text of ours has
        const auto sent = to_http(std::move(answer), http.version() == 10 ? 10 : 11, http.keep_alive(),
                                  asked->method == Method::head);
        expect(sent["X-Content-Type-Options"] == "nosniff");
    } else {
        expect(std::get<Response>(request).status >= 400);
    }
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer calls it so
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const bool has_token = (data[0] & 1U) != 0;
    std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
    static_cast<void>(host_of_header(rest));
    for (;;) {  // requests one after the other, as on a connection
        RequestParser parser;
        limit(parser);
        parser.eager(true);
        boost::system::error_code error;
        std::size_t used = 0;
        while (!error && !parser.is_done() && used < rest.size()) {
            const auto part = rest.substr(used);
            const auto took = parser.put(boost::asio::buffer(part.data(), part.size()), error);
            if (took == 0) break;
            used += took;
        }
        if (error || !parser.is_done()) return 0;
        expect(parser.get().body().size() <= kBodyBytesMax);
        serve(parser.get(), has_token, std::string_view(reinterpret_cast<const char*>(data), size));
        rest.remove_prefix(used);
    }
}
