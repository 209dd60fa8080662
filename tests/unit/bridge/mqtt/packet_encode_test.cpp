#include "bridge/mqtt/packet_encode.hpp"

#include "bridge/mqtt/packet_decode.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace sluice::bridge::mqtt;
using namespace std::string_literals;

namespace {

constexpr auto kOld = ProtocolVersion::v3_1_1;
constexpr auto kNew = ProtocolVersion::v5;

Publish round_trip(const Publish& publish, ProtocolVersion version, std::string& bytes) {
    bytes.clear();
    encode_publish(publish, version, bytes);
    CHECK(bytes.size() == encoded_size(publish, version));
    const auto next = next_frame(bytes, 1U << 28U);
    REQUIRE(std::holds_alternative<Frame>(next));
    CHECK(std::get<Frame>(next).size == bytes.size());
    auto decoded = decode_publish(std::get<Frame>(next), version, PropertyPlace::publish_to_client);
    REQUIRE(std::holds_alternative<Publish>(decoded));
    return std::get<Publish>(decoded);
}

}  // namespace

TEST_CASE("encode: CONNACK") {
    std::string bytes;
    encode_connack({.session_present = true}, kOld, bytes);
    CHECK(bytes == "\x20\2\1\0"s);
    bytes.clear();
    encode_connack({.session_present = true, .reason = ReasonCode::not_authorized}, kOld, bytes);
    CHECK(bytes == "\x20\2\0\5"s);  // no session with a failure [MQTT-3.2.2-4]
    bytes.clear();
    encode_connack({.reason = ReasonCode::server_busy}, kNew, bytes);
    CHECK(bytes == "\x20\3\0\x89\0"s);
    bytes.clear();
    encode_connack({.session_expiry_interval = 1,
                    .receive_maximum = 20,
                    .maximum_packet_size = 65536,
                    .topic_alias_maximum = 10,
                    .server_keep_alive = 60,
                    .assigned_client_identifier = "x"},
                   kNew, bytes);
    CHECK(bytes == "\x20\x1a\0\0\x17\x11\0\0\0\1\x21\0\x14\x27\0\1\0\0\x12\0\1x\x22\0\x0a\x13\0\x3c"s);
}

TEST_CASE("encode: the return codes of MQTT 3.1.1") {
    CHECK(connect_return_code(ReasonCode::success) == 0);
    CHECK(connect_return_code(ReasonCode::unsupported_protocol_version) == 1);
    CHECK(connect_return_code(ReasonCode::client_identifier_not_valid) == 2);
    CHECK(connect_return_code(ReasonCode::server_busy) == 3);
    CHECK(connect_return_code(ReasonCode::bad_user_name_or_password) == 4);
    CHECK(connect_return_code(ReasonCode::not_authorized) == 5);
}

TEST_CASE("encode: a PUBLISH is what it was after decoding") {
    Publish publish;
    publish.topic = "a/b";
    publish.payload = "payload";
    std::string bytes;
    for (const auto version : {kOld, kNew}) {
        for (std::uint8_t qos = 0; qos <= 2; ++qos) {
            publish.qos = qos;
            publish.packet_id = static_cast<std::uint16_t>(qos > 0 ? 0x1234 : 0);
            publish.retain = qos == 1;
            publish.duplicate = qos == 2;
            const auto got = round_trip(publish, version, bytes);
            CHECK(got.topic == publish.topic);
            CHECK(got.payload == publish.payload);
            CHECK(got.qos == qos);
            CHECK(got.packet_id == publish.packet_id);
            CHECK(got.retain == publish.retain);
            CHECK(got.duplicate == publish.duplicate);
        }
    }
}

TEST_CASE("encode: the properties of a PUBLISH, and none with MQTT 3.1.1") {
    Publish publish;
    publish.topic = "a";
    publish.subscription_identifiers = {1, 300'000};
    publish.topic_alias = 4;
    publish.properties = {.payload_format_indicator = 1,
                          .message_expiry_interval = 60,
                          .content_type = "json",
                          .response_topic = "r",
                          .correlation_data = "c",
                          .user = {{"k", "1"}, {"k", "2"}}};
    std::string bytes;
    const auto got = round_trip(publish, kNew, bytes);
    CHECK(got.subscription_identifiers == publish.subscription_identifiers);
    CHECK(got.topic_alias == 4U);
    CHECK(got.properties.payload_format_indicator == 1U);
    CHECK(got.properties.message_expiry_interval == 60U);
    CHECK(got.properties.content_type == "json");
    CHECK(got.properties.response_topic == "r");
    CHECK(got.properties.correlation_data == "c");
    CHECK(got.properties.user == publish.properties.user);
    CHECK(round_trip(publish, kOld, bytes).properties.user.empty());
}

TEST_CASE("encode: payloads around the lengths at which the remaining length grows") {
    std::string bytes;
    for (const std::size_t size : {0U, 124U, 125U, 16'379U, 16'380U, 2'097'147U, 2'097'148U}) {
        const std::string payload(size, 'x');
        Publish publish;
        publish.topic = "a";
        publish.payload = payload;
        CHECK(round_trip(publish, kOld, bytes).payload == payload);
    }
}

TEST_CASE("encode: acknowledgements are as short as they may be") {
    std::string bytes;
    encode_acknowledgement({PacketType::puback, 0x102, ReasonCode::success}, kNew, bytes);
    CHECK(bytes == "\x40\2\1\2"s);
    bytes.clear();
    encode_acknowledgement({PacketType::pubrel, 7, ReasonCode::packet_identifier_not_found}, kNew, bytes);
    CHECK(bytes == "\x62\4\0\7\x92\0"s);
    bytes.clear();
    encode_acknowledgement({PacketType::pubrec, 7, ReasonCode::not_authorized}, kNew, bytes, "no");
    CHECK(bytes == "\x50\x09\0\7\x87\5\x1f\0\2no"s);
    bytes.clear();
    encode_acknowledgement({PacketType::pubcomp, 7, ReasonCode::packet_identifier_not_found}, kOld, bytes, "no");
    CHECK(bytes == "\x70\2\0\7"s);
}

TEST_CASE("encode: SUBACK, UNSUBACK, PINGRESP and DISCONNECT") {
    std::string bytes;
    encode_suback(7, {ReasonCode::granted_qos_1, ReasonCode::not_authorized}, kOld, bytes);
    CHECK(bytes == "\x90\4\0\7\1\x80"s);
    bytes.clear();
    encode_suback(7, {ReasonCode::granted_qos_2, ReasonCode::not_authorized}, kNew, bytes);
    CHECK(bytes == "\x90\5\0\7\0\2\x87"s);
    bytes.clear();
    encode_unsuback(7, {ReasonCode::no_subscription_existed}, kNew, bytes);
    encode_unsuback(7, {ReasonCode::no_subscription_existed}, kOld, bytes);
    encode_pingresp(bytes);
    CHECK(bytes == "\xb0\4\0\7\0\x11\xb0\2\0\7\xd0\0"s);
    bytes.clear();
    encode_disconnect(ReasonCode::session_taken_over, std::nullopt, kNew, bytes);
    CHECK(bytes == "\xe0\2\x8e\0"s);
    encode_disconnect(ReasonCode::session_taken_over, std::nullopt, kOld, bytes);
    CHECK(bytes.size() == 4);
}
