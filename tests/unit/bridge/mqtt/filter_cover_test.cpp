#include "bridge/mqtt/filter_cover.hpp"

#include "bridge/mqtt/topic_filter.hpp"
#include "bridge/mqtt/topic_name.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

using namespace sluice::bridge::mqtt;
using Texts = std::vector<std::string>;

namespace {

/// All texts of one to `levels_max` levels out of `words`.
Texts texts_of(const Texts& words, int levels_max) {
    Texts all = words;
    std::size_t from = 0;
    for (int levels = 1; levels < levels_max; ++levels) {
        const auto to = all.size();
        for (; from < to; ++from) {
            for (const auto& word : words) all.push_back(all[from] + "/" + word);
        }
    }
    return all;
}

}  // namespace

TEST_CASE("acl: a filter covers what takes in no more than it does") {
    struct Case {
        const char* filter;
        const char* other;
        bool covered;
    };
    const Case cases[] = {
        {"a/b", "a/b", true},
        {"a/b", "a/c", false},
        {"a/b", "a/+", false},    // takes in more
        {"a/b", "a/b/c", false},  // longer
        {"a/b/c", "a/b", false},  // shorter
        {"a/+", "a/b", true},
        {"a/+", "a/+", true},
        {"a/+", "a/", true},  // an empty level is a level
        {"a/+", "a", false},
        {"a/+", "a/#", false},
        {"a/+", "a/b/c", false},
        {"+/b", "a/b", true},
        {"+/b", "+/b", true},
        {"+/b", "+/+", false},
        {"a/#", "a/+/c", true},
        {"a/+/c", "a/+/c", true},
        {"a/#", "a", true},  // "#" takes in its parent
        {"a/#", "a/#", true},
        {"a/#", "a/+/#", true},
        {"a/+/#", "a/#", false},  // which takes in "a"
        {"a/#", "#", false},
        {"a/#", "ab", false},
        {"#", "#", true},
        {"#", "+/a/#", true},
        {"#", "/", true},
        {"#", "+/#", true},
        {"+/#", "#", true},       // they say the same
        {"#", "$SYS/up", false},  // [MQTT-4.7.2-1]
        {"#", "$SYS/#", false},
        {"+/up", "$SYS/up", false},
        {"+/#", "$SYS/up", false},
        {"$SYS/#", "$SYS/up", true},
        {"$SYS/#", "#", false},
        {"$SYS/+", "+/+", false},
        {"a/+", "a/$b", true},  // "$" is nothing but itself
                                // further down
        {"/+", "/a", true},
        {"+", "/a", false},
        {"+/+", "/a", true},
    };
    for (const auto& each : cases) {
        CAPTURE(each.filter);
        CAPTURE(each.other);
        CHECK(covers(each.filter, each.other) == each.covered);
    }
}

TEST_CASE("acl: a filter covers exactly those filters all of whose topics match it") {
    Texts filters = texts_of({"a", "$b", "+", "#"}, 3);
    std::erase_if(filters, [](const auto& text) { return !is_topic_filter(text); });
    // "z" is no level of any filter: it stands for all the others. Topics are longer than any filter.
    const Texts topics = texts_of({"a", "$b", "z"}, 4);
    std::vector<std::vector<bool>> matches;
    for (const auto& filter : filters) {
        auto& row = matches.emplace_back();
        const auto parsed = TopicFilter::parse(filter);
        REQUIRE(parsed.has_value());
        std::vector<std::string_view> captures;
        for (const auto& topic : topics) {
            row.push_back(parsed->matches(topic, captures));
            REQUIRE_MESSAGE(covers(filter, topic) == row.back(), filter << " " << topic);
        }
    }
    for (std::size_t i = 0; i < filters.size(); ++i) {
        for (std::size_t j = 0; j < filters.size(); ++j) {
            bool all = true;
            for (std::size_t k = 0; k < topics.size(); ++k) all = all && (matches[i][k] || !matches[j][k]);
            REQUIRE_MESSAGE(covers(filters[i], filters[j]) == all, filters[i] << " " << filters[j]);
        }
    }
}
