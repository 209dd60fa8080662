#include "agent/admin/query_string.hpp"

#include <doctest/doctest.h>

using sluice::agent::admin::QueryString;

TEST_CASE("query string: names and values are decoded") {
    const auto query = QueryString::parse("stream=a%2Fb&key=caf%C3%A9+1&flag&&empty=");
    REQUIRE(query);
    CHECK(query->find("stream") == "a/b");
    CHECK(query->find("key") == "caf\xc3\xa9 1");
    CHECK(query->find("flag") == "");
    CHECK(query->find("empty") == "");
    CHECK(!query->find("nothing"));
    CHECK(QueryString::parse(""));
}

TEST_CASE("query string: a broken escape and a name that stands twice are refused") {
    for (const char* text : {"a=%", "a=%4", "a=%zz", "a=%-1", "%=1", "a=1&a=2", "a=1&%61=2"}) {
        CAPTURE(text);
        CHECK(!QueryString::parse(text));
    }
}

TEST_CASE("query string: a number is within its bounds, or none") {
    const auto query = QueryString::parse("good=7&low=0&high=11&text=7x&none=");
    REQUIRE(query);
    CHECK(query->number("good", 1, 10, 3) == 7);
    CHECK(query->number("absent", 1, 10, 3) == 3);
    for (const char* name : {"low", "high", "text", "none"}) {
        CAPTURE(name);
        CHECK(!query->number(name, 1, 10, 3));
    }
}
