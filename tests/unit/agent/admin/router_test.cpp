#include "agent/admin/router.hpp"

#include "agent/admin/http_request.hpp"
#include "agent/admin/token.hpp"

#include <doctest/doctest.h>

#include <stdexcept>

using namespace sluice::agent::admin;

namespace {

const std::string kToken = "0123456789abcdef0123456789abcdef";

/// A router with one path of each kind, that counts how often something was changed.
struct Site {
    explicit Site(RouterOptions options) : router(std::move(options)) {
        router.open("/open", [](const Request&, bool authorized) {
            return Response{200, "text/plain", authorized ? "all of it" : "little"};
        });
        router.get("/read", [](const Request&, bool) { return Response{200, "text/plain", "read"}; });
        router.post("/change", [this](const Request&, bool) {
            ++changes;
            return Response{200, "text/plain", "changed"};
        });
        router.get("/throws", [](const Request&, bool) -> Response { throw std::runtime_error("<script>"); });
    }
    unsigned status(Method method, const std::string& path, const std::string& host = "127.0.0.1:7878",
                    const std::string& authorization = "", bool over_unix = false) {
        return router.handle({method, path, "", host, "", authorization, over_unix}).status;
    }
    Router router;
    int changes = 0;
};

}  // namespace

TEST_CASE("admin: over TCP without a token everything is read and nothing changed") {
    Site site(RouterOptions{});
    CHECK(site.status(Method::get, "/read") == 200);
    CHECK(site.status(Method::head, "/read") == 200);
    CHECK(site.status(Method::post, "/change") == 403);
    CHECK(site.status(Method::post, "/change", "127.0.0.1", "Bearer ") == 403);
    CHECK(site.changes == 0);
}

TEST_CASE("admin: with a token, what is not open needs it") {
    Site site({kToken, {}});
    CHECK(site.status(Method::get, "/open") == 200);
    CHECK(site.status(Method::get, "/read") == 401);
    CHECK(site.status(Method::get, "/nothing") == 401);  // who may not read is not told what there is
    CHECK(site.status(Method::post, "/change") == 401);
    CHECK(site.status(Method::get, "/read", "127.0.0.1", "Bearer " + kToken) == 200);
    CHECK(site.status(Method::post, "/change", "127.0.0.1", "bearer " + kToken) == 200);
    CHECK(site.status(Method::post, "/change", "127.0.0.1", "Bearer " + kToken + "0") == 401);
    CHECK(site.status(Method::post, "/change", "127.0.0.1", "Basic " + kToken) == 401);
    CHECK(site.changes == 1);
    CHECK(site.router.handle({Method::get, "/open", "", "localhost", "", ""}).body == "little");
    CHECK(site.router.handle({Method::get, "/open", "", "localhost", "", "Bearer " + kToken}).body == "all of it");
    const auto refusal = site.router.handle({Method::get, "/read", "", "localhost", "", ""});
    REQUIRE(refusal.headers.size() == 1);
    CHECK(refusal.headers[0].first == "WWW-Authenticate");
}

TEST_CASE("admin: the Unix socket may all, whatever Host and token are") {
    Site site({kToken, {}});
    CHECK(site.status(Method::get, "/read", "", "", true) == 200);
    CHECK(site.status(Method::post, "/change", "evil.example", "", true) == 200);
    CHECK(site.changes == 1);
}

TEST_CASE("admin: nothing is changed by any method but POST") {
    Site site(RouterOptions{});
    for (const auto method : {Method::get, Method::head, Method::other}) {
        const auto answer = site.router.handle({method, "/change", "", "localhost", "", "", true});
        CHECK(answer.status == 405);
        REQUIRE(answer.headers.size() == 1);
        CHECK(answer.headers[0].second == "POST");
    }
    CHECK(site.status(Method::post, "/read") == 405);
    CHECK(site.changes == 0);
}

TEST_CASE("admin: a name that is not ours is turned away, as a page uses that rebinds its name to this machine") {
    Site site({{}, {"gateway-17.plant.local"}});
    for (const auto* good : {"localhost", "LOCALHOST:7878", "127.0.0.1", "127.0.0.1:7878", "[::1]:7878", "192.0.2.7:1",
                             "Gateway-17.plant.local:443"}) {
        CAPTURE(good);
        CHECK(site.status(Method::get, "/read", good) == 200);
    }
    for (const auto* bad : {"", "evil.example", "evil.example:7878", "localhost.evil.example", "127.0.0.1.evil.example",
                            "localhost:", "localhost:7878:1", "localhost:x", "[::1", "[evil]", "127.0.0.1@evil.example",
                            "a b", "localhost/", ":7878"}) {
        CAPTURE(bad);
        CHECK(site.status(Method::get, "/read", bad) == 421);
    }
}

TEST_CASE("admin: a handler that throws is answered without what it said") {
    Site site(RouterOptions{});
    const auto answer = site.router.handle({Method::get, "/throws", "", "localhost", "", ""});
    CHECK(answer.status == 500);
    CHECK(answer.body.find("script") == std::string::npos);
}

TEST_CASE("admin: no answer repeats what the client has sent") {
    const Site site(RouterOptions{});
    const std::string evil = "/<script>alert(1)</script>";
    for (const auto& request :
         {Request{Method::get, evil, "", "localhost", "", ""}, Request{Method::get, "/read", "", evil, "", ""},
          Request{Method::post, "/change", evil, "localhost", evil, evil}}) {
        const auto answer = site.router.handle(request);
        CHECK(answer.body.find("script") == std::string::npos);
        for (const auto& [name, value] : answer.headers) CHECK(value.find("script") == std::string::npos);
    }
}

TEST_CASE("admin: secrets are the same or not") {
    CHECK(same_secret("", ""));
    CHECK(same_secret(kToken, kToken));
    CHECK_FALSE(same_secret(kToken, kToken.substr(1)));
    CHECK_FALSE(same_secret("", kToken));
    CHECK(bears_token("Bearer   " + kToken + " ", kToken));
    CHECK_FALSE(bears_token("Bearer", kToken));
    CHECK_FALSE(bears_token(kToken, kToken));
}

namespace {

HttpRequest http_request(const std::string& target) {
    HttpRequest http(boost::beast::http::verb::get, target, 11);
    http.set(boost::beast::http::field::host, "localhost");
    return http;
}

}  // namespace

TEST_CASE("admin: a request is taken apart, and one beyond the limits refused") {
    const auto request = to_request(http_request("/api?limit=3&x"), false);
    REQUIRE(std::holds_alternative<Request>(request));
    CHECK(std::get<Request>(request).path == "/api");
    CHECK(std::get<Request>(request).query == "limit=3&x");
    const auto refused = [](const HttpRequest& http) { return std::get<Response>(to_request(http, false)).status; };
    CHECK(refused(http_request("http://evil/")) == 400);
    CHECK(refused(http_request("*")) == 400);
    CHECK(refused(http_request("/" + std::string(kTargetBytesMax, 'a'))) == 414);
    auto many = http_request("/");
    for (std::size_t i = 0; i < kHeadersMax; ++i) many.insert("x-" + std::to_string(i), "1");
    CHECK(refused(many) == 431);
    auto twice = http_request("/");
    twice.insert(boost::beast::http::field::host, "evil.example");
    CHECK(std::get<Request>(to_request(twice, false)).host.empty());
}

TEST_CASE("admin: every answer tells a browser not to guess, not to keep, not to run") {
    const auto http = to_http({200, "application/json", "{}"}, 11, true, false);
    CHECK(http["X-Content-Type-Options"] == "nosniff");
    CHECK(http["Cache-Control"] == "no-store");
    CHECK(http["Content-Security-Policy"].find("default-src 'none'") == 0);
    const auto head = to_http({200, "application/json", "{}"}, 11, true, true);
    CHECK(head["Content-Length"] == "2");
    CHECK(head.body().empty());
}
