#include "bridge/route/topic_map.hpp"

#include <doctest/doctest.h>

using namespace sluice::bridge;
using sluice::storage::Timestamp;

namespace {

constexpr Timestamp kArrival{std::chrono::milliseconds(42)};

RouteOptions route(std::string topic, std::string stream) {
    RouteOptions options;
    options.topic = std::move(topic);
    options.stream = std::move(stream);
    return options;
}

TopicMap map_of(const std::vector<RouteOptions>& routes) {
    auto made = TopicMap::create(routes);
    REQUIRE(std::holds_alternative<TopicMap>(made));
    return std::get<TopicMap>(std::move(made));
}

sluice::bridge::Message message(std::string topic, std::string payload = "{}") {
    sluice::bridge::Message made;
    made.topic = std::move(topic);
    made.payload = std::move(payload);
    made.arrived = kArrival;
    return made;
}

std::string header(const sluice::storage::Record& record, std::string_view key) {
    for (const auto& h : record.headers) {
        if (h.key == key) return h.value.value_or("(null)");
    }
    return "(none)";
}

std::vector<std::string> faulty_fields(const RouteOptions& options) {
    auto made = TopicMap::create({options});
    std::vector<std::string> fields;
    if (const auto* faults = std::get_if<std::vector<RouteFault>>(&made)) {
        for (const auto& fault : *faults) fields.push_back(fault.field);
    }
    return fields;
}

}  // namespace

TEST_CASE("topic map: the first route that matches decides") {
    const auto map = map_of({route("a/b", "first"), route("a/+", "second"), route("#", "third")});
    CHECK(*map.route(message("a/b")).stream == "first");
    CHECK(*map.route(message("a/c")).stream == "second");
    CHECK(*map.route(message("x")).stream == "third");
}

TEST_CASE("topic map: what no route takes has no stream, and is whole") {
    const auto map = map_of({route("a/b", "first")});
    const auto routed = map.route(message("c", "payload"));
    CHECK(routed.stream == nullptr);
    CHECK(routed.record.value == "payload");
    CHECK_FALSE(routed.record.key);
    CHECK(header(routed.record, "mqtt.topic") == "c");
}

TEST_CASE("topic map: key and headers are filled from the captures") {
    auto options = route("factory/{site}/{device}/#", "s");
    options.key = "{site}:{device}!";
    options.headers = {{"where", "{site}"}, {"fixed", "x"}};
    const auto routed = map_of({options}).route(message("factory/lyon/press/a/b"));
    CHECK(routed.record.key == "lyon:press!");
    CHECK(header(routed.record, "where") == "lyon");
    CHECK(header(routed.record, "fixed") == "x");
}

TEST_CASE("topic map: without a key template the key is null") {
    CHECK_FALSE(map_of({route("#", "s")}).route(message("a")).record.key);
}

TEST_CASE("topic map: the headers tell what MQTT said") {
    auto sent = message("a");
    sent.qos = 2;
    sent.retain = true;
    sent.content_type = "text/plain";
    sent.user_properties = {{"k", "1"}, {"k", "2"}};
    const auto routed = map_of({route("#", "s")}).route(std::move(sent));
    CHECK(header(routed.record, "mqtt.qos") == "2");
    CHECK(header(routed.record, "mqtt.retain") == "true");
    CHECK(header(routed.record, "mqtt.content-type") == "text/plain");
    CHECK(std::count_if(routed.record.headers.begin(), routed.record.headers.end(),
                        [](const auto& h) { return h.key == "k"; }) == 2);
}

TEST_CASE("topic map: a device can't set the headers that are the agent's own notes") {
    auto sent = message("a");
    sent.user_properties = {{"sluice.internal.qos2", "1 1 plant"}};
    const auto routed = map_of({route("#", "s")}).route(std::move(sent));
    CHECK(header(routed.record, "sluice.internal.qos2") == "(none)");
}

TEST_CASE("topic map: payloads pass unchanged, and an empty one is no tombstone") {
    const auto map = map_of({route("#", "s")});
    const std::string bytes("\0\xff\x80 \n", 5);
    CHECK(map.route(message("a", bytes)).record.value == bytes);
    CHECK(map.route(message("a", "")).record.value == "");
}

TEST_CASE("topic map: the timestamp is the payload's where it has one, else that of the arrival, with the reason") {
    auto options = route("#", "s");
    options.timestamp = "/ts";
    const auto map = map_of({options});
    CHECK(map.route(message("a", R"({"ts":1700000000})")).record.timestamp.time_since_epoch().count() ==
          1'700'000'000'000);
    const auto without = map.route(message("a", "no json"));
    CHECK(without.record.timestamp == kArrival);
    CHECK(header(without.record, "sluice.timestamp-error") != "(none)");
}

TEST_CASE("topic map: where rules need it, the time of arrival is kept beside the device's own") {
    auto options = route("a", "s");
    options.timestamp = "/ts";
    const auto arrival = [&](bool kept, const std::string& payload) -> std::optional<std::string> {
        options.keep_arrival = kept;
        auto sent = message("a", payload);
        sent.arrived = sluice::storage::Timestamp(std::chrono::milliseconds(1'700'000'000'250));
        for (const auto& header : map_of({options}).route(sent).record.headers) {
            if (header.key == kArrivalHeader) return header.value;
        }
        return std::nullopt;
    };
    CHECK(arrival(true, R"({"ts": 1700000000000})") == "250");
    CHECK(arrival(true, R"({"ts": 1700000001000})") == "-750");
    CHECK(arrival(true, R"({"ts": 1700000000250})") == std::nullopt);  // the same
    CHECK(arrival(true, "{}") == std::nullopt);                        // its timestamp is the arrival
    CHECK(arrival(false, R"({"ts": 1700000000000})") == std::nullopt);
}

TEST_CASE("topic map: faults name the key that is wrong") {
    CHECK(faulty_fields(route("a/#/b", "s")) == std::vector<std::string>{"topic"});
    auto options = route("a/{x}", "s");
    options.key = "{y}";
    CHECK(faulty_fields(options) == std::vector<std::string>{"key"});
    options.key = "{x";
    CHECK(faulty_fields(options) == std::vector<std::string>{"key"});
    options.key = "{x}";
    options.timestamp = "ts";
    CHECK(faulty_fields(options) == std::vector<std::string>{"timestamp"});
    options.timestamp = "/ts";
    options.headers = {{"h", "{z}"}};
    CHECK(faulty_fields(options) == std::vector<std::string>{"headers"});
    options.headers.clear();
    CHECK(faulty_fields(options).empty());
}

TEST_CASE(
    "topic map: a time that is far ahead of the arrival is a fault, unless our own clock is the one that is wrong") {
    using namespace std::chrono_literals;
    constexpr Timestamp kNow{std::chrono::milliseconds(1'800'000'000'000)};
    const auto at = [&](Timestamp arrived, std::chrono::seconds ahead, const RouteOptions& options) {
        auto made = message("a", "{\"ts\":" + std::to_string((kNow + ahead).time_since_epoch().count()) + "}");
        made.arrived = arrived;
        return map_of({options}).route(std::move(made)).record;
    };
    auto options = route("#", "s");
    options.timestamp = "/ts";
    CHECK(at(kNow, 50min, options).timestamp == kNow + 50min);
    CHECK(at(kNow, -24h * 365, options).timestamp == kNow - 24h * 365);
    const auto wrong = at(kNow, 2h, options);
    CHECK(wrong.timestamp == kNow);
    CHECK(header(wrong, "sluice.timestamp-error") == "time is 7200 s ahead of the arrival");
    CHECK(at(kArrival, 0s, options).timestamp == kNow);
    options.timestamp_ahead_max.reset();
    CHECK(at(kNow, 2h, options).timestamp == kNow + 2h);
}
