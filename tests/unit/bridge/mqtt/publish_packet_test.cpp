#include "bridge/mqtt/publish_packet.hpp"

#include <doctest/doctest.h>

using namespace std::string_literals;
using sluice::bridge::mqtt::message_of_packet;
using sluice::bridge::mqtt::ProtocolVersion;

namespace {

/// With a one-byte remaining length.
std::string publish_bytes(char first, const std::string& rest) {
    REQUIRE(rest.size() < 128);
    return std::string(1, first) + static_cast<char>(rest.size()) + rest;
}

}  // namespace

TEST_CASE("publish packet: 3.1.1, QoS 2 with a packet identifier") {
    const auto decoded = message_of_packet(publish_bytes('\x34', "\0\3a/b\x12\x34payload"s), ProtocolVersion::v3_1_1);
    REQUIRE(decoded);
    CHECK(decoded->message.topic == "a/b");
    CHECK(decoded->message.payload == "payload");
    CHECK(decoded->message.qos == 2);
    CHECK_FALSE(decoded->message.retain);
    CHECK(decoded->packet_id == 0x1234);
}

TEST_CASE("publish packet: QoS 0 has no packet identifier, and a payload may be empty") {
    const auto decoded = message_of_packet(publish_bytes('\x31', "\0\1t"s), ProtocolVersion::v3_1_1);
    REQUIRE(decoded);
    CHECK(decoded->message.retain);
    CHECK(decoded->message.payload.empty());
    CHECK(decoded->packet_id == 0);
}

TEST_CASE("publish packet: MQTT 5 properties are read, and those that are of no use are passed over") {
    const std::string properties =
        "\x01\x01"s             // payload format indicator
        "\x02\0\0\0\x0a"s       // message expiry interval
        "\x03\0\x04json"s       // content type
        "\x08\0\x05reply"s      // response topic
        "\x09\0\x02\x01\x02"s   // correlation data
        "\x0b\x81\x01"s         // subscription identifier, two bytes
        "\x26\0\x01k\0\x02v1"s  // user property
        "\x26\0\x01k\0\x02v2"s;
    const auto decoded =
        message_of_packet(publish_bytes('\x34', "\0\1t\0\7"s + static_cast<char>(properties.size()) + properties + "x"),
                          ProtocolVersion::v5);
    REQUIRE(decoded);
    CHECK(decoded->message.payload == "x");
    CHECK(decoded->message.content_type == "json");
    CHECK(decoded->message.response_topic == "reply");
    CHECK(decoded->message.correlation_data == "\x01\x02");
    using Pair = std::pair<std::string, std::string>;
    CHECK(decoded->message.user_properties == std::vector<Pair>{{"k", "v1"}, {"k", "v2"}});
}

TEST_CASE("publish packet: a remaining length of several bytes") {
    const std::string payload(300, 'x');
    const std::string rest = "\0\1t\0\7"s + payload;
    const std::string bytes =
        "\x34"s + static_cast<char>(rest.size() % 128 | 0x80) + static_cast<char>(rest.size() / 128) + rest;
    const auto decoded = message_of_packet(bytes, ProtocolVersion::v3_1_1);
    REQUIRE(decoded);
    CHECK(decoded->message.payload == payload);
}

TEST_CASE("publish packet: every cut of a good packet is malformed, and none reads beyond it") {
    const std::string good = publish_bytes('\x34', "\0\3a/b\0\7"s + "\x0b"s + "\x26\0\1k\0\1v\x03\0\1j"s + "payload");
    REQUIRE(message_of_packet(good, ProtocolVersion::v5));
    for (std::size_t size = 0; size < good.size(); ++size) {
        CHECK_FALSE(message_of_packet(std::string(good.data(), size), ProtocolVersion::v5));
    }
}

TEST_CASE("publish packet: malformed ones") {
    CHECK_FALSE(message_of_packet(publish_bytes('\x40', "\0\1t\0\7"s), ProtocolVersion::v3_1_1));  // a PUBACK
    CHECK_FALSE(message_of_packet(publish_bytes('\x36', "\0\1t\0\7"s), ProtocolVersion::v3_1_1));  // QoS 3
    CHECK_FALSE(message_of_packet("\x34\xff\xff\xff\xff\x01"s, ProtocolVersion::v3_1_1));        // length of five bytes
    CHECK_FALSE(message_of_packet(publish_bytes('\x34', "\0\x09t"s), ProtocolVersion::v3_1_1));  // topic beyond the end
    CHECK_FALSE(message_of_packet(publish_bytes('\x34', "\0\1t\0\7\x02\x26\0"s), ProtocolVersion::v5));  // property cut
    CHECK_FALSE(
        message_of_packet(publish_bytes('\x34', "\0\1t\0\7\x02\x7f\0"s), ProtocolVersion::v5));  // unknown property
}
