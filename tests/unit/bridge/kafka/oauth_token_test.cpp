#include "bridge/kafka/oauth_token.hpp"

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using sluice::bridge::kafka::describe_token;

namespace {

const std::chrono::sys_time<std::chrono::milliseconds> kNow{1'700'000'000'000ms};

}  // namespace

TEST_CASE("oauth token: a JWT tells when it expires and whose it is") {
    // {"sub":"gw-17","exp":1700000600}
    const auto token = describe_token("eyJhbGciOiJub25lIn0.eyJzdWIiOiJndy0xNyIsImV4cCI6MTcwMDAwMDYwMH0.c2ln", kNow);
    CHECK(token.subject == "gw-17");
    CHECK(token.expires == kNow + 600s);
}

TEST_CASE("oauth token: of anything else nothing is known, and it is read again soon") {
    for (const std::string text : {"opaque", "a.b", "a.b.c", "..", "eyJ.!!!.x", "a.e30.c", "a.eyJleHAiOiJzb29uIn0.c",
                                   "a.eyJleHAiOi0xfQ.c", "a.eyJleHAiOjFlMzAwfQ.c"}) {
        CAPTURE(text);
        const auto token = describe_token(text, kNow);
        CHECK(token.text == text);
        CHECK(token.subject == "unknown");
        CHECK(token.expires == kNow + 5min);
    }
}
