// What leaves in a derived record: each field that must not is gone, whatever it looks like.
#include "agent/rules/derived_record.hpp"

#include "models/rules/rule.hpp"

#include <doctest/doctest.h>

#include <limits>

using namespace sluice;
using namespace sluice::agent;
using namespace std::chrono_literals;
using models::rules::Derived;
using models::rules::DeriveSource;
using models::rules::RuleSource;

namespace {

constexpr auto kPayload =
    R"({"device": "pump-7", "temperature": 71.23, "gps": {"lat": 52.5163, "lon": 13.3777}, "n": 12345,)"
    R"( "operator": {"name": "Ada", "shift": 2}, "phases": [{"v": 1.26}, {"v": 2.24}], "b.c": true})";

RuleSource source(const DeriveSource& derive) {
    RuleSource all;
    all.name = "d";
    all.derive = derive;
    all.derive->to = "out";
    return all;
}

std::optional<storage::Record> written(const DeriveSource& derive, std::optional<std::string_view> payload = kPayload,
                                       std::vector<Derived::Value> values = {}, const std::string& hash_key = "k") {
    models::FieldTable fields;
    REQUIRE_FALSE(check_derivation(source(derive)));
    const auto rule = std::get<models::rules::Rule>(models::rules::compile_rule(source(derive), fields));
    values.resize(rule.fields.size());
    const models::Time time(60s);
    return DerivedWriter(rule, hash_key)
        .record({&rule, "pump-7", time, time + derive.every, std::move(values)}, payload);
}

std::string value(const DeriveSource& derive, const char* payload = kPayload, const std::string& hash_key = "k") {
    const auto record = written(derive, payload, {}, hash_key);
    return record ? *record->value : "nothing";
}

std::string key(const DeriveSource& derive, const std::string& hash_key = "k") {
    return written(derive, kPayload, {}, hash_key)->key.value_or("null");
}

// echo -n "Ada" | openssl dgst -sha256 -hmac k
constexpr auto kAda = "a7cf9c43134de04e7c63cfe6662a245c";

}  // namespace

TEST_CASE("derived record: a copy has all fields in their order, and nothing but the payload") {
    const auto record = written({});
    CHECK(record->key == "pump-7");
    CHECK(record->headers.empty());
    CHECK(record->timestamp == models::Time(60s));
    CHECK(nlohmann::ordered_json::parse(*record->value).dump() == nlohmann::ordered_json::parse(kPayload).dump());
}

TEST_CASE("derived record: dropped, hashed, rounded, renamed") {
    DeriveSource derive;
    derive.drop = {"gps", "n", "un.known", "phases[1].v"};
    derive.hash = {"operator.name", "missing"};
    derive.round = {{"temperature", 0.1}, {"phases[0].v", 0.05}, {"operator.shift", 10}};
    derive.rename = {{"operator.name", "who"}, {"device", "pump"}, {"`b.c`", "c"}};
    CHECK(value(derive) == std::string(R"({"pump":"pump-7","temperature":71.2,"operator":{"who":")") + kAda +
                               R"(","shift":0},"phases":[{"v":1.25},{}],"c":true})");
}

TEST_CASE("derived record: what can't be treated is left out, not let through") {
    DeriveSource derive;
    derive.round = {{"x", 0.1}};
    CHECK(value(derive, R"({"x": "71.23", "y": 1})") == R"({"y":1})");
    CHECK(value(derive, R"({"x": {"deep": 71.23}, "y": 1})") == R"({"y":1})");
    CHECK(value(derive, R"({"x": [71.23, "71.23", [0.26]]})") == R"({"x":[71.2,null,[0.3]]})");
    derive = {};
    derive.hash = {"x"};
    CHECK(value(derive, R"({"x": "a", "y": 1})", "") == R"({"y":1})");
    CHECK(value(derive, R"({"x": null})") == R"({"x":null})");
    CHECK(value(derive, R"({"x": 5})") == value(derive, R"({"x": "5"})"));
    CHECK(value(derive, R"({"x": "a"})", "k") != value(derive, R"({"x": "a"})", "l"));
    derive = {};
    derive.drop = {"x"};
    CHECK(value(derive, R"({"x": 1, "x": 2, "y": 1})") == R"({"y":1})");
    CHECK(value(derive, R"({"\u0078": 1, "y": 1})") == R"({"y":1})");
}

TEST_CASE("derived record: nothing is made of what is no JSON object") {
    for (const char* payload : {"", "7", "[1]", "{\"x\": 1", "{\"x\": 1} trailing", "\xff", "{\"x\": \"\xff\"}"}) {
        CAPTURE(payload);
        CHECK(value({}, payload) == "nothing");
    }
    std::string deep = "{\"x\":";
    for (int i = 0; i < 200'000; ++i) deep += '[';
    for (int i = 0; i < 200'000; ++i) deep += ']';
    CHECK(value({}, (deep + "}").c_str()) == "nothing");
}

TEST_CASE("derived record: chosen fields, and no other") {
    DeriveSource derive;
    derive.fields = {{"t", "temperature"}, {"twice", "temperature * 2"}, {"who", "operator"}, {"none", "missing"}};
    derive.hash = {"who.name"};
    const auto record = written(derive, kPayload, {{}, 142.46, {}, {}});
    CHECK(*record->value == std::string(R"({"t":71.23,"twice":142.46,"who":{"name":")") + kAda + R"(","shift":2}})");
}

TEST_CASE("derived record: an interval says when it was") {
    DeriveSource derive;
    derive.every = 60s;
    derive.fields = {{"mean", "avg(x, 1m)"}, {"none", "max(x, 1m)"}, {"on", "count(x, 1m) > 3"}};
    const auto record = written(derive, std::nullopt, {21.5, {}, true});
    CHECK(*record->value ==
          R"({"start":"1970-01-01T00:01:00.000Z","end":"1970-01-01T00:02:00.000Z","mean":21.5,"on":true})");
}

TEST_CASE("derived record: the key is made of what is written, not of what was dropped or hashed") {
    DeriveSource derive;
    derive.key = "x/{device}/{operator.shift}";
    CHECK(key(derive) == "x/pump-7/2");
    derive.key = "{operator.name}";
    derive.hash = {"operator.name"};
    CHECK(key(derive) == kAda);
    derive.drop = {"operator"};
    CHECK(key(derive) == "null");
    derive.key = "{device_hash}";
    CHECK(key(derive).size() == 32);
    CHECK(key(derive, "") == "null");
}

TEST_CASE("derived record: faults of paths and keys") {
    const auto fault = [](DeriveSource derive) {
        const auto found = check_derivation(source(derive));
        return found ? found->key + ": " + found->diagnostic.what : "none";
    };
    DeriveSource derive;
    derive.drop = {"a + 1"};
    CHECK(fault(derive) == "drop: \"a + 1\": this is no field");
    derive = {};
    derive.hash = {"/gps"};
    CHECK(fault(derive).starts_with("hash: \"/gps\": "));
    derive = {};
    derive.round = {{"", 1}};
    CHECK(fault(derive).starts_with("round: "));
    derive = {};
    derive.rename = {{"a.", "b"}};
    CHECK(fault(derive).starts_with("rename: "));
    derive = {};
    derive.key = "{device";
    CHECK(fault(derive) == "key: this brace is not closed");
    derive.key = "{a + b}";
    CHECK(fault(derive) == "key: \"a + b\" is no field");
}
