#include "bridge/mqtt/topic_filter.hpp"

#include <doctest/doctest.h>

#include <array>

using sluice::bridge::mqtt::TopicFilter;

namespace {

TopicFilter filter(std::string_view text) {
    auto parsed = TopicFilter::parse(text);
    REQUIRE_MESSAGE(parsed.has_value(), std::string(text));
    return *parsed;
}

bool filter_matches(std::string_view text, std::string_view topic) {
    std::vector<std::string_view> captures;
    return filter(text).matches(topic, captures);
}

}  // namespace

TEST_CASE("topic filter: matches as section 4.7 of MQTT 5 says") {
    struct Case {
        const char* filter;
        const char* topic;
        bool matches;
        const char* why;
    };
    constexpr std::array kCases = {
        Case{"a/b", "a/b", true, "the same levels"},
        Case{"a/b", "a/c", false, "another level"},
        Case{"a/b", "a/b/c", false, "one level too many"},
        Case{"a/b/c", "a/b", false, "one level too few"},
        Case{"a/+", "a/b", true, "+ is one level"},
        Case{"a/+", "a", false, "+ is exactly one level"},
        Case{"a/+", "a/", true, "an empty level is a level"},
        Case{"a/+/c", "a/b/c", true, "+ in the middle"},
        Case{"+/+", "/b", true, "a topic that starts with / has an empty first level"},
        Case{"+", "/b", false, "two levels"},
        Case{"a/#", "a/b/c", true, "# is all that follows"},
        Case{"a/#", "a", true, "# includes the parent level"},
        Case{"a/#", "ab", false, "but not a longer name"},
        Case{"#", "a/b/c", true, "# alone is everything"},
        Case{"#", "$SYS/load", false, "a leading wildcard doesn't match $ topics [MQTT-4.7.2-1]"},
        Case{"+/load", "$SYS/load", false, "nor does +"},
        Case{"{any}/load", "$SYS/load", false, "nor does a capture"},
        Case{"$SYS/#", "$SYS/load", true, "a literal $ does"},
        Case{"a/#", "a/$b", true, "$ is special in the first level only"},
        Case{"A/b", "a/b", false, "case matters"},
        Case{"a/b", "a/b/", false, "a trailing / is one more, empty level"},
    };
    for (const auto& c : kCases) CHECK_MESSAGE(filter_matches(c.filter, c.topic) == c.matches, c.why);
}

TEST_CASE("topic filter: captures give their levels, in order") {
    const auto parsed = filter("factory/{site}/+/{device}/#");
    CHECK(parsed.subscription() == "factory/+/+/+/#");
    CHECK(parsed.capture_names() == std::vector<std::string>{"site", "device"});
    std::vector<std::string_view> captures;
    REQUIRE(parsed.matches("factory/lyon/line 7/press/state", captures));
    CHECK(captures == std::vector<std::string_view>{"lyon", "press"});
}

TEST_CASE("topic filter: captures of an earlier match don't stay") {
    const auto parsed = filter("a/{x}");
    std::vector<std::string_view> captures;
    REQUIRE(parsed.matches("a/1", captures));
    REQUIRE(parsed.matches("a/2", captures));
    CHECK(captures == std::vector<std::string_view>{"2"});
}

TEST_CASE("topic filter: what MQTT forbids is refused") {
    for (const auto* bad :
         {"", "a/#/b", "a#", "a/b#", "a+/b", "+a", "a/{x}b", "{}", "{x}/{x}", "{x", "x}", "a/{b c}"}) {
        CHECK_MESSAGE(TopicFilter::parse(bad).has_error(), bad);
    }
    CHECK(TopicFilter::parse(std::string_view("a\0b", 3)).has_error());
    CHECK(TopicFilter::parse(std::string(65536, 'a')).has_error());
}

TEST_CASE("topic filter: overlaps where some topic matches both") {
    struct Case {
        const char* a;
        const char* b;
        bool overlaps;
    };
    constexpr std::array kCases = {
        Case{"a/b", "a/b", true},   Case{"a/b", "a/c", false},   Case{"a/+", "+/b", true},
        Case{"a/#", "a", true},     Case{"a/#", "b/#", false},   Case{"#", "a/b", true},
        Case{"#", "$SYS/a", false}, Case{"a/+", "a/b/c", false}, Case{"a/{x}/#", "+/b", true},
        Case{"+/b/#", "a/+", true},
    };
    for (const auto& c : kCases) {
        const std::string pair = std::string(c.a) + " and " + c.b;
        CHECK_MESSAGE(filter(c.a).overlaps(filter(c.b)) == c.overlaps, pair);
        CHECK_MESSAGE(filter(c.b).overlaps(filter(c.a)) == c.overlaps, pair);
    }
}

TEST_CASE("topic filter: covers where each topic of the other one matches") {
    const auto covers = [](const char* a, const char* b) { return filter(a).covers(filter(b)); };
    for (const char* same : {"a/b", "a/+", "{x}/b", "a/#", "#"}) CHECK(covers(same, same));
    CHECK(covers("f/{site}/#", "f/x/y"));
    CHECK(covers("a/#", "a"));
    CHECK(covers("a/#", "a/+/#"));
    CHECK(covers("+/b", "a/b"));
    CHECK_FALSE(covers("a/+", "a/#"));
    CHECK_FALSE(covers("a/b", "a/+"));
    CHECK_FALSE(covers("a/+", "a/b/c"));
    CHECK_FALSE(covers("a/b/c", "a/#"));
    CHECK_FALSE(covers("#", "$SYS/a"));
    CHECK_FALSE(covers("a/#", "+/b"));
}
