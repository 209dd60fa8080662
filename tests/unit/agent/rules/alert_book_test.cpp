// What fires now, and what came about last.
#include "agent/rules/alert_book.hpp"

#include <doctest/doctest.h>

using namespace sluice::agent;

namespace {

std::string record(const std::string& rule, int number, const std::string& state) {
    return R"({"id": ")" + rule + "/" + std::to_string(number) + R"(", "state": ")" + state + R"(", "rule": ")" + rule +
           R"("})";
}

}  // namespace

TEST_CASE("alert book: what began and did not end fires") {
    AlertBook book;
    book.note(record("a", 1, "firing"));
    book.note(record("a", 2, "firing"));
    book.note(record("b", 1, "firing"));
    book.note(record("a", 1, "resolved"));
    book.note("no JSON");
    book.note("{\"id\": 7}");
    CHECK(book.firing() == 2);
    CHECK(book.firing_by_rule() == std::map<std::string, std::uint64_t>{{"a", 1}, {"b", 1}});
    const auto json = book.json();
    CHECK(json["firing"][0]["id"] == "a/2");
    CHECK(json["recent"].size() == 4);
    CHECK(json["recent"][3]["state"] == "resolved");
    book.clear();
    CHECK(book.firing() == 0);
    CHECK(book.json()["recent"].empty());
}

TEST_CASE("alert book: it keeps no more than it says") {
    AlertBook book;
    for (int i = 0; i <= static_cast<int>(AlertBook::kFiringMax); ++i) book.note(record("a", i, "firing"));
    CHECK(book.firing() == AlertBook::kFiringMax);
    const auto json = book.json();
    CHECK(json["recent"].size() == AlertBook::kRecentMax);
    CHECK(json["recent"].back()["id"] == "a/" + std::to_string(AlertBook::kFiringMax));
}
