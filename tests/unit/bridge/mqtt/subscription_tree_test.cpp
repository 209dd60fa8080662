#include "bridge/mqtt/subscription_tree.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

using namespace sluice::bridge::mqtt;

namespace {

/// Who gets a message, in order.
std::vector<SubscriberId> receivers(SubscriptionTree& tree, std::string_view topic) {
    std::vector<SubscriberId> found;
    for (const auto& delivery : tree.match(topic, std::nullopt)) found.push_back(delivery.subscriber);
    std::sort(found.begin(), found.end());
    return found;
}

bool matches(std::string_view filter, std::string_view topic) {
    SubscriptionTree tree;
    tree.add(1, filter, {});
    return !receivers(tree, topic).empty();
}

/// The rules of section 4.7, level by level.
bool matches_by_the_book(std::string_view filter, std::string_view topic) {
    if (topic.starts_with('$') && (filter.starts_with('+') || filter.starts_with('#'))) return false;
    const auto split = [](std::string_view text) {
        std::vector<std::string> levels(1);
        for (const char c : text) {
            if (c == '/')
                levels.emplace_back();
            else
                levels.back() += c;
        }
        return levels;
    };
    const auto wanted = split(filter);
    const auto given = split(topic);
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        if (wanted[i] == "#") return true;
        if (i >= given.size() || (wanted[i] != "+" && wanted[i] != given[i])) return false;
        if (i + 2 == wanted.size() && wanted[i + 1] == "#" && i + 1 == given.size()) return true;
    }
    return wanted.size() == given.size();
}

}  // namespace

TEST_CASE("subscriptions: the examples of the standard (4.7.1)") {
    CHECK(matches("sport/tennis/player1/#", "sport/tennis/player1"));
    CHECK(matches("sport/tennis/player1/#", "sport/tennis/player1/ranking"));
    CHECK(matches("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon"));
    CHECK(matches("sport/#", "sport"));
    CHECK(matches("#", "a/b/c"));
    CHECK(matches("sport/tennis/+", "sport/tennis/player1"));
    CHECK_FALSE(matches("sport/tennis/+", "sport/tennis/player1/ranking"));
    CHECK_FALSE(matches("sport/+", "sport"));
    CHECK(matches("sport/+", "sport/"));
    CHECK(matches("+/+", "/finance"));
    CHECK(matches("/+", "/finance"));
    CHECK_FALSE(matches("+", "/finance"));
    CHECK_FALSE(matches("ACCOUNTS", "Accounts"));
}

TEST_CASE("subscriptions: no wildcard at the front matches a topic with $ [MQTT-4.7.2-1]") {
    CHECK_FALSE(matches("#", "$SYS/uptime"));
    CHECK_FALSE(matches("+/uptime", "$SYS/uptime"));
    CHECK(matches("$SYS/#", "$SYS/uptime"));
    CHECK(matches("$SYS/+", "$SYS/uptime"));
    CHECK(matches("a/+", "a/$x"));
    CHECK(matches("a/#", "a/$x"));
}

TEST_CASE("subscriptions: overlapping ones give one delivery, with the highest QoS and all identifiers") {
    SubscriptionTree tree;
    tree.add(1, "a/#", {.qos = 0, .identifier = 7});
    tree.add(1, "a/+", {.qos = 2, .retain_as_published = true, .identifier = 8});
    tree.add(1, "a/b", {.qos = 1});
    tree.add(2, "a/b", {.qos = 1, .identifier = 9});
    auto found = tree.match("a/b", std::nullopt);
    REQUIRE(found.size() == 2);
    if (found[0].subscriber == 2) std::swap(found[0], found[1]);
    CHECK(found[0].qos == 2);
    CHECK(found[0].retain_as_published);
    std::sort(found[0].identifiers.begin(), found[0].identifiers.end());
    CHECK(found[0].identifiers == std::vector<std::uint32_t>{7, 8});
    CHECK(found[1].identifiers == std::vector<std::uint32_t>{9});
}

TEST_CASE("subscriptions: no local, replacing, and removing") {
    SubscriptionTree tree;
    CHECK(tree.add(1, "a", {.no_local = true}));
    CHECK(tree.add(2, "a", {}));
    CHECK(tree.match("a", 1).size() == 1);
    CHECK(tree.match("a", 2).size() == 2);
    CHECK_FALSE(tree.add(1, "a", {.qos = 1}));
    CHECK(tree.match("a", 1).size() == 2);
    CHECK(tree.add(1, "b/#", {}));
    CHECK(tree.count(1) == 2);
    CHECK(tree.size() == 3);
    CHECK(tree.remove(1, "a"));
    CHECK_FALSE(tree.remove(1, "a"));
    CHECK_FALSE(tree.remove(1, "b"));
    CHECK_FALSE(tree.remove(3, "b/#"));
    CHECK(receivers(tree, "a") == std::vector<SubscriberId>{2});
    tree.remove_all(1);
    CHECK(tree.count(1) == 0);
    CHECK(receivers(tree, "b").empty());
    tree.remove_all(2);
    CHECK(tree.size() == 0);
}

TEST_CASE("subscriptions: of a group one member gets each message, in turn; a member gets its own beside") {
    SubscriptionTree tree;
    tree.add(1, "$share/g/a/+", {.qos = 1});
    tree.add(2, "$share/g/a/+", {.qos = 2});
    tree.add(3, "$share/other/a/b", {});
    tree.add(1, "a/b", {});
    std::map<SubscriberId, int> turns;
    for (int i = 0; i < 10; ++i) {
        const auto found = tree.match("a/b", std::nullopt);
        CHECK(found.size() == 3);
        for (const auto& delivery : found) ++turns[delivery.subscriber];
    }
    CHECK(turns[1] == 15);
    CHECK(turns[2] == 5);
    CHECK(turns[3] == 10);
    CHECK(tree.remove(2, "$share/g/a/+"));
    CHECK(tree.match("a/c", std::nullopt).size() == 1);
    CHECK(tree.remove(1, "$share/g/a/+"));
    CHECK(tree.match("a/c", std::nullopt).empty());
}

TEST_CASE("subscriptions: random filters and topics match as the standard says") {
    std::mt19937 random(4711);
    const auto one_of = [&](const std::vector<std::string>& choices) { return choices[random() % choices.size()]; };
    const auto filter = [&] {
        std::string text = one_of({"a", "b", "", "+", "$s", "#"});
        while (!text.ends_with('#') && random() % 3 != 0) text += "/" + one_of({"a", "b", "", "+", "#"});
        return text;
    };
    const auto topic = [&] {
        std::string text = one_of({"a", "b", "", "$s"});
        while (random() % 3 != 0) text += "/" + one_of({"a", "b", "", "$s"});
        return text.empty() ? "a" : text;
    };
    SubscriptionTree tree;
    std::set<std::pair<SubscriberId, std::string>> model;
    for (int step = 0; step < 4'000; ++step) {
        const auto subscriber = SubscriberId{random() % 20};
        const auto text = filter();
        if (text.empty()) continue;
        if (random() % 2 == 0) {
            CHECK(tree.add(subscriber, text, {}) == model.emplace(subscriber, text).second);
        } else {
            CHECK(tree.remove(subscriber, text) == (model.erase({subscriber, text}) > 0));
        }
        const auto published = topic();
        std::set<SubscriberId> expected;
        for (const auto& [who, wanted] : model) {
            if (matches_by_the_book(wanted, published)) expected.insert(who);
        }
        const auto got = receivers(tree, published);
        REQUIRE(std::vector<SubscriberId>(expected.begin(), expected.end()) == got);
        REQUIRE(tree.size() == model.size());
    }
}
