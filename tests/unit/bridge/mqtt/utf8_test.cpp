#include "bridge/mqtt/utf8.hpp"

#include "bridge/mqtt/topic_name.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace sluice::bridge::mqtt;
using namespace std::string_literals;

namespace {

std::string encoded(unsigned point) {
    const auto byte = [](unsigned value) { return static_cast<char>(value); };
    if (point < 0x80) return {byte(point)};
    if (point < 0x800) return {byte(0xc0U | point >> 6U), byte(0x80U | (point & 0x3fU))};
    if (point < 0x10000) {
        return {byte(0xe0U | point >> 12U), byte(0x80U | ((point >> 6U) & 0x3fU)), byte(0x80U | (point & 0x3fU))};
    }
    return {byte(0xf0U | point >> 18U), byte(0x80U | ((point >> 12U) & 0x3fU)), byte(0x80U | ((point >> 6U) & 0x3fU)),
            byte(0x80U | (point & 0x3fU))};
}

}  // namespace

TEST_CASE("utf8: every code point but U+0000 and the surrogates") {
    bool all = true;
    for (unsigned point = 0; point <= 0x110100; ++point) {
        const bool good = point != 0 && !(point >= 0xd800 && point <= 0xdfff) && point <= 0x10ffff;
        all = all && is_mqtt_text(encoded(point)) == good && is_mqtt_text("12345678" + encoded(point)) == good;
    }
    CHECK(all);
}

TEST_CASE("utf8: overlong, cut off, and stray bytes") {
    for (const auto& bad :
         {"\xc0\x80"s,         "\xc0\xaf"s,  "\xc1\xbf"s, "\xe0\x80\xaf"s, "\xe0\x9f\xbf"s, "\xf0\x80\x80\xaf"s,
          "\xf0\x8f\xbf\xbf"s, "\x80"s,      "\xbf"s,     "\xc3"s,         "\xe2\x82"s,     "\xf0\x9f\x92"s,
          "\xf5\x80\x80\x80"s, "\xfe"s,      "\xff"s,     "\xc3\x28"s,     "\xe2\x28\xa1"s, "\xe2\x82\x28"s,
          "\xf0\x28\x8c\xbc"s, "1234567\0"s, "\0"s}) {
        CHECK_FALSE(is_mqtt_text(bad));
        CHECK_FALSE(is_mqtt_text("abcdefgh" + bad));
        CHECK_FALSE(is_mqtt_text("abc" + bad + "abcdefghi"));
    }
    CHECK(is_mqtt_text(""));
    CHECK(
        is_mqtt_text("\xef\xbb\xbf"
                     "a"));  // U+FEFF is kept [MQTT-1.5.4-3]
}

TEST_CASE("topic names and filters on the wire") {
    for (const auto* good : {"a", "/", "a/b", "/a", "a/", "a//b", "$SYS/x", "a b", "{x}"}) {
        CHECK(is_topic_name(good));
        CHECK(is_topic_filter(good));
    }
    for (const auto* good : {"#", "+", "+/+", "a/#", "a/+/b", "/+", "+/", "a/+/#", "$SYS/#"}) {
        CHECK_FALSE(is_topic_name(good));
        CHECK(is_topic_filter(good));
    }
    for (const auto* bad : {"", "a#", "#/a", "a/#/b", "a+", "+a", "a/+b/c", "a/b+", "##", "++", "/#/"}) {
        CHECK_FALSE(is_topic_filter(bad));
    }
    const auto shared = parse_shared("$share/group/a/+");
    REQUIRE(shared);
    CHECK(shared->group == "group");
    CHECK(shared->filter == "a/+");
    for (const auto* bad :
         {"$share/", "$share/g", "$share//a", "$share/g/", "$share/+/a", "$share/g#/a", "$share/g/a#"}) {
        CHECK_FALSE(parse_shared(bad));
    }
}
