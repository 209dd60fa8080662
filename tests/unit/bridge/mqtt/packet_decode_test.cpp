#include "bridge/mqtt/packet_decode.hpp"

#include "bridge/mqtt/wire.hpp"

#include <doctest/doctest.h>

#include <deque>
#include <string>
#include <vector>

using namespace sluice::bridge::mqtt;
using namespace std::string_literals;

namespace {

constexpr auto k311 = ProtocolVersion::v3_1_1;
constexpr auto k5 = ProtocolVersion::v5;

std::string packet(unsigned first, const std::string& body) {
    std::string bytes;
    WireWriter out(bytes);
    out.byte(first);
    out.variable_integer(static_cast<std::uint32_t>(body.size()));
    return bytes + body;
}

/// A text with its length in front.
std::string text(const std::string& value) {
    std::string bytes;
    WireWriter(bytes).binary(value);
    return bytes;
}

/// Properties with their length in front.
std::string properties(const std::string& bytes = "") {
    std::string out;
    WireWriter(out).variable_integer(static_cast<std::uint32_t>(bytes.size()));
    return out + bytes;
}

/// What is decoded points into the bytes.
const std::string& keep(const std::string& bytes) {
    static std::deque<std::string> kept;
    return kept.emplace_back(bytes);
}

Decoded decode(const std::string& given, ProtocolVersion version) {
    const auto& bytes = keep(given);
    const auto next = next_frame(bytes, 1U << 20U);
    if (const auto* fault = std::get_if<Fault>(&next)) return *fault;
    REQUIRE(std::holds_alternative<Frame>(next));
    const auto& frame = std::get<Frame>(next);
    REQUIRE(frame.size == bytes.size());
    return decode_packet(frame, version);
}

template <class T>
T must_decode(const std::string& bytes, ProtocolVersion version) {
    const auto decoded = decode(bytes, version);
    if (const auto* fault = std::get_if<Fault>(&decoded)) FAIL(fault->what);
    REQUIRE(std::holds_alternative<T>(std::get<ClientPacket>(decoded)));
    return std::get<T>(std::get<ClientPacket>(decoded));
}

bool is_good(const std::string& bytes, ProtocolVersion version) {
    return std::holds_alternative<ClientPacket>(decode(bytes, version));
}

/// The reason of the fault; success for a packet that is taken.
ReasonCode fault_of(const std::string& bytes, ProtocolVersion version) {
    const auto decoded = decode(bytes, version);
    const auto* fault = std::get_if<Fault>(&decoded);
    return fault == nullptr ? ReasonCode::success : fault->code;
}

struct Bad {
    const char* why;
    std::string bytes;
    ProtocolVersion version;
    ReasonCode code = ReasonCode::malformed_packet;
};

void check_all(const std::vector<Bad>& table) {
    for (const auto& bad : table) {
        INFO(std::string(bad.why));
        CHECK(fault_of(bad.bytes, bad.version) == bad.code);
    }
}

std::string connect(unsigned flags, const std::string& payload, ProtocolVersion version = k311,
                    const std::string& props = "") {
    std::string body = text("MQTT");
    WireWriter out(body);
    out.byte(static_cast<unsigned>(version));
    out.byte(flags);
    out.two_bytes(60);
    if (version == k5) out.bytes(properties(props));
    return packet(0x10, body + payload);
}

}  // namespace

TEST_CASE("frame: waits for the whole of a packet, whatever the pieces") {
    const auto bytes = packet(0x30, text("a/b") + std::string(300, 'x')) + packet(0xc0, "");
    for (std::size_t size = 0; size < bytes.size() - 2; ++size) {
        CHECK(std::holds_alternative<NeedMore>(next_frame(std::string(bytes.data(), size), 1000)));
    }
    const auto first = next_frame(bytes, 1000);
    REQUIRE(std::holds_alternative<Frame>(first));
    CHECK(std::get<Frame>(first).type() == PacketType::publish);
    CHECK(std::get<Frame>(first).size == bytes.size() - 2);
}

TEST_CASE("frame: what is no packet, or too large a one, is known before its end") {
    const auto code = [](const std::string& bytes, std::size_t size_max = 1000) {
        const auto next = next_frame(bytes, size_max);
        const auto* fault = std::get_if<Fault>(&next);
        return fault == nullptr ? ReasonCode::success : fault->code;
    };
    CHECK(code("\x00"s) == ReasonCode::malformed_packet);
    CHECK(code("\x30\xff\xff\xff\xff"s) == ReasonCode::malformed_packet);
    CHECK(code("\x30\x80\x00"s) == ReasonCode::malformed_packet);  // 0 in two bytes [MQTT-1.5.5-1]
    CHECK(code("\x30\xe7\x07"s, 1000) == ReasonCode::packet_too_large);
    CHECK(code("\x30\xe5\x07"s, 1000) == ReasonCode::success);  // just fits, and isn't all there
    CHECK(code("\x30\xff\xff\xff\x7f"s, 1U << 28U) == ReasonCode::packet_too_large);
}

TEST_CASE("packet: flags of the fixed header [MQTT-2.1.3-1]") {
    const std::string identifier("\0\1", 2);
    const std::string filter = identifier + text("a") + "\0"s;
    const std::vector<std::pair<unsigned, std::string>> good = {{0x40, identifier}, {0x50, identifier},
                                                                {0x62, identifier}, {0x70, identifier},
                                                                {0x82, filter},     {0xa2, identifier + text("a")},
                                                                {0xc0, ""},         {0xe0, ""}};
    for (const auto& [first, body] : good) {
        CHECK(is_good(packet(first, body), k311));
        for (unsigned flags = 0; flags < 16; ++flags) {
            if (flags == (first & 0x0fU)) continue;
            CHECK(fault_of(packet((first & 0xf0U) | flags, body), k311) == ReasonCode::malformed_packet);
        }
    }
}

TEST_CASE("packet: what only a server sends is a protocol error") {
    for (const unsigned first : {0x20U, 0x90U, 0xb0U, 0xd0U}) {
        CHECK(fault_of(packet(first, ""), k5) == ReasonCode::protocol_error);
        CHECK(fault_of(packet(first, ""), k311) == ReasonCode::protocol_error);
    }
    CHECK(fault_of(packet(0xf0, ""), k311) == ReasonCode::malformed_packet);  // AUTH is of MQTT 5
}

TEST_CASE("connect: 3.1.1 with all that it may have") {
    const auto got = must_decode<Connect>(
        connect(0xee, text("pump-1") + text("gone/pump-1") + text("bye") + text("user") + text("secret")), k311);
    CHECK(got.version == k311);
    CHECK(got.clean_start);
    CHECK(got.keep_alive == 60);
    CHECK(got.client_id == "pump-1");
    REQUIRE(got.will);
    CHECK(got.will->topic == "gone/pump-1");
    CHECK(got.will->payload == "bye");
    CHECK(got.will->qos == 1);
    CHECK(got.will->retain);
    CHECK(got.user_name == "user");
    CHECK(got.password == "secret");
}

TEST_CASE("connect: MQTT 5 with all its properties") {
    const auto props = "\x11\0\0\1\0\x21\0\x14\x27\0\1\0\0\x22\0\x0a\x19\1\x17\0"s + "\x26" + text("k") + text("v") +
                       "\x15" + text("SCRAM") + "\x16" + text("data");
    const auto will = properties("\x18\0\0\0\5\1\1\2\0\0\0\7\3"s + text("text/plain") + "\x08" + text("re/ply") +
                                 "\x09" + text("corr") + "\x26" + text("a") + text("b"));
    const auto got = must_decode<Connect>(connect(0x0c, text("") + will + text("gone") + text(""), k5, props), k5);
    CHECK(got.session_expiry_interval == 256);
    CHECK(got.receive_maximum == 20);
    CHECK(got.maximum_packet_size == 65536U);
    CHECK(got.topic_alias_maximum == 10);
    CHECK(got.request_response_information);
    CHECK_FALSE(got.request_problem_information);
    CHECK(got.authentication_method == "SCRAM");
    CHECK(got.authentication_data == "data");
    REQUIRE(got.user.size() == 1);
    CHECK(got.user[0].first == "k");
    REQUIRE(got.will);
    CHECK(got.will->delay_interval == 5);
    CHECK(got.will->properties.payload_format_indicator == 1U);
    CHECK(got.will->properties.message_expiry_interval == 7U);
    CHECK(got.will->properties.content_type == "text/plain");
    CHECK(got.will->properties.response_topic == "re/ply");
    CHECK(got.will->properties.correlation_data == "corr");
    CHECK(got.will->properties.user.size() == 1);
    CHECK_FALSE(got.user_name);
}

TEST_CASE("connect: 3.1, and client identifiers by version") {
    const auto old = [](const std::string& id) { return packet(0x10, text("MQIsdp") + "\3\2\0\x3c"s + text(id)); };
    CHECK(must_decode<Connect>(old("pump"), k311).version == ProtocolVersion::v3_1);
    const auto invalid = ReasonCode::client_identifier_not_valid;
    CHECK(fault_of(old(""), k311) == invalid);
    CHECK(fault_of(old(std::string(24, 'x')), k311) == invalid);
    CHECK(is_good(connect(0x02, text("")), k311));
    CHECK(fault_of(connect(0x00, text("")), k311) == invalid);  // [MQTT-3.1.3-8]
    CHECK(is_good(connect(0x00, text(""), k5), k5));
    CHECK(is_good(connect(0x40, text("c") + text("password"), k5), k5));  // without a user name
}

TEST_CASE("connect: malformed ones") {
    const auto id = text("c");
    const auto unsupported = ReasonCode::unsupported_protocol_version;
    const auto protocol_error = ReasonCode::protocol_error;
    check_all({
        {"reserved flag [MQTT-3.1.2-3]", connect(0x03, id), k311},
        {"will QoS 3 [MQTT-3.1.2-12]", connect(0x1e, id + text("t") + text("p")), k311},
        {"will QoS without a will [MQTT-3.1.2-11]", connect(0x0a, id), k311},
        {"will retain without a will [MQTT-3.1.2-13]", connect(0x22, id), k311},
        {"password without user name in 3.1.1 [MQTT-3.1.2-22]", connect(0x42, id + text("p")), k311},
        {"user name is missing [MQTT-3.1.2-17]", connect(0x82, id), k311},
        {"password is missing", connect(0xc2, id + text("u")), k311},
        {"user name without its flag [MQTT-3.1.2-16]", connect(0x02, id + text("u")), k311},
        {"will topic with a wildcard", connect(0x06, id + text("a/#") + text("p")), k311},
        {"will topic that is empty", connect(0x06, id + text("") + text("p")), k311},
        {"client identifier with U+0000 [MQTT-1.5.4-2]", connect(0x02, text("a\0b"s)), k311},
        {"client identifier with a surrogate [MQTT-1.5.4-1]", connect(0x02, text("\xed\xa0\x80")), k311},
        {"user name in an overlong form", connect(0x82, id + text("\xc0\xaf")), k311},
        {"another protocol [MQTT-3.1.2-1]", packet(0x10, text("HTTP") + "\4\2\0\0"s + id), k311, protocol_error},
        {"another level [MQTT-3.1.2-2]", packet(0x10, text("MQTT") + "\6\2\0\0"s + id), k311, unsupported},
        {"cut off before the level", packet(0x10, text("MQTT")), k311},
        {"receive maximum 0", connect(0x02, id, k5, "\x21\0\0"s), k5, protocol_error},
        {"maximum packet size 0", connect(0x02, id, k5, "\x27\0\0\0\0"s), k5, protocol_error},
        {"request problem information 2", connect(0x02, id, k5, "\x17\2"s), k5, protocol_error},
        {"request response information 2", connect(0x02, id, k5, "\x19\2"s), k5, protocol_error},
        {"session expiry twice", connect(0x02, id, k5, "\x11\0\0\0\1\x11\0\0\0\1"s), k5, protocol_error},
        {"authentication data alone", connect(0x02, id, k5, "\x16"s + text("x")), k5, protocol_error},
        {"property of another packet", connect(0x02, id, k5, "\x23\0\1"s), k5},
        {"will delay outside of the will", connect(0x02, id, k5, "\x18\0\0\0\1"s), k5},
        {"unknown property", connect(0x02, id, k5, "\x05\0"s), k5},
        {"property that is cut off", connect(0x02, id, k5, "\x11\0\0"s), k5},
        {"user property without a value", connect(0x02, id, k5, "\x26"s + text("k")), k5},
        {"properties beyond the end", packet(0x10, text("MQTT") + "\5\2\0\0\x7f"s + id), k5},
    });
}

TEST_CASE("publish: both versions") {
    const auto old = must_decode<Publish>(packet(0x3b, text("a/b") + "\0\7payload"s), k311);
    CHECK(old.topic == "a/b");
    CHECK(old.packet_id == 7);
    CHECK(old.qos == 1);
    CHECK(old.retain);
    CHECK(old.duplicate);
    CHECK(old.payload == "payload");
    const auto none = must_decode<Publish>(packet(0x30, text("a")), k311);
    CHECK(none.packet_id == 0);
    CHECK(none.payload.empty());
    const auto props = "\1\1\2\0\0\0\x3c\x23\0\5\x08"s + text("r") + "\x09" + text("\0\xff"s) + "\x03" + text("json") +
                       "\x26" + text("k") + text("1") + "\x26" + text("k") + text("2");
    const auto got = must_decode<Publish>(packet(0x34, text("") + "\0\1"s + properties(props) + "x"), k5);
    CHECK(got.topic_alias == 5U);
    CHECK(got.properties.message_expiry_interval == 60U);
    CHECK(got.properties.payload_format_indicator == 1U);
    CHECK(got.properties.response_topic == "r");
    CHECK(got.properties.correlation_data == "\0\xff"s);
    CHECK(got.properties.content_type == "json");
    REQUIRE(got.properties.user.size() == 2);
    CHECK(got.properties.user[1].second == "2");
    CHECK(got.payload == "x");
}

TEST_CASE("publish: malformed ones") {
    const auto protocol_error = ReasonCode::protocol_error;
    const auto id = "\0\1"s;
    check_all({
        {"QoS 3 [MQTT-3.3.1-4]", packet(0x36, text("a") + id), k311},
        {"DUP with QoS 0 [MQTT-3.3.1-2]", packet(0x38, text("a")), k311},
        {"packet identifier 0 [MQTT-2.2.1-3]", packet(0x32, text("a") + "\0\0"s), k311, protocol_error},
        {"packet identifier is missing", packet(0x32, text("a")), k311},
        {"+ in the topic [MQTT-3.3.2-2]", packet(0x30, text("a/+")), k311, ReasonCode::topic_name_invalid},
        {"# in the topic [MQTT-3.3.2-2]", packet(0x30, text("a/#") + properties()), k5, ReasonCode::topic_name_invalid},
        {"no topic [MQTT-4.7.3-1]", packet(0x30, text("")), k311, protocol_error},
        {"no topic and no alias", packet(0x30, text("") + properties()), k5, protocol_error},
        {"topic beyond the end", packet(0x30, "\0\x09t"s), k311},
        {"topic with U+0000", packet(0x30, text("a\0b"s)), k311},
        {"topic alias 0 [MQTT-3.3.2-8]", packet(0x30, text("a") + properties("\x23\0\0"s)), k5,
         ReasonCode::topic_alias_invalid},
        {"subscription identifier from a client [MQTT-3.3.4-6]", packet(0x30, text("a") + properties("\x0b\1"s)), k5},
        {"payload format 2", packet(0x30, text("a") + properties("\1\2"s)), k5, protocol_error},
        {"response topic with a wildcard [MQTT-3.3.2-14]", packet(0x30, text("a") + properties("\x08"s + text("r/#"))),
         k5, protocol_error},
        {"content type twice", packet(0x30, text("a") + properties("\3"s + text("x") + "\3" + text("y"))), k5,
         protocol_error},
        {"content type that is not UTF-8", packet(0x30, text("a") + properties("\3"s + text("\xff"))), k5},
        {"properties are missing", packet(0x30, text("a")), k5},
    });
}

TEST_CASE("acknowledgements: in each of their lengths") {
    for (const unsigned first : {0x40U, 0x50U, 0x62U, 0x70U}) {
        const auto type = static_cast<PacketType>(first >> 4U);
        CHECK(must_decode<Acknowledgement>(packet(first, "\1\2"s), k311).packet_id == 0x102);
        CHECK(must_decode<Acknowledgement>(packet(first, "\1\2"s), k5).type == type);
        const bool first_half = type == PacketType::puback || type == PacketType::pubrec;
        const auto failure = first_half ? '\x87' : '\x92';
        const auto reason = must_decode<Acknowledgement>(packet(first, "\1\2"s + failure), k5).reason;
        CHECK(reason == static_cast<ReasonCode>(static_cast<unsigned char>(failure)));
        const auto props = properties("\x1f"s + text("why") + "\x26" + text("k") + text("v"));
        CHECK(is_good(packet(first, "\1\2"s + failure + props), k5));
        check_all({
            {"cut off", packet(first, "\1"s), k311},
            {"a byte too many in 3.1.1", packet(first, "\1\2\0"s), k311},
            {"packet identifier 0", packet(first, "\0\0"s), k5, ReasonCode::protocol_error},
            {"reason of another packet", packet(first, "\1\2"s + (first_half ? '\x92' : '\x87')), k5,
             ReasonCode::protocol_error},
            {"reason string twice", packet(first, "\1\2"s + failure + properties("\x1f\0\0\x1f\0\0"s)), k5,
             ReasonCode::protocol_error},
            {"bytes after the properties", packet(first, "\1\2"s + failure + properties() + "x"), k5},
        });
    }
}

TEST_CASE("subscribe: filters and options") {
    const auto got = must_decode<Subscribe>(
        packet(0x82, "\0\7"s + properties("\x0b\x80\1"s) + text("a/+/b") + "\x2d"s + text("$share/g/#") + "\1"s), k5);
    CHECK(got.packet_id == 7);
    CHECK(got.identifier == 128U);
    REQUIRE(got.subscriptions.size() == 2);
    CHECK(got.subscriptions[0].qos == 1);
    CHECK(got.subscriptions[0].no_local);
    CHECK(got.subscriptions[0].retain_as_published);
    CHECK(got.subscriptions[0].retain_handling == RetainHandling::dont_send);
    CHECK(got.subscriptions[1].filter == "$share/g/#");
    const auto protocol_error = ReasonCode::protocol_error;
    check_all({
        {"no filter [MQTT-3.8.3-2]", packet(0x82, "\0\1"s), k311, protocol_error},
        {"packet identifier 0", packet(0x82, "\0\0"s + text("a") + "\0"s), k311, protocol_error},
        {"options are missing", packet(0x82, "\0\1"s + text("a")), k311},
        {"QoS 3", packet(0x82, "\0\1"s + text("a") + "\3"s), k311},
        {"reserved bits in 3.1.1 [MQTT-3-8.3-4]", packet(0x82, "\0\1"s + text("a") + "\4"s), k311},
        {"reserved bits [MQTT-3.8.3-5]", packet(0x82, "\0\1\0"s + text("a") + "\x40"s), k5},
        {"retain handling 3", packet(0x82, "\0\1\0"s + text("a") + "\x30"s), k5, protocol_error},
        {"no local and shared [MQTT-3.8.3-4]", packet(0x82, "\0\1\0"s + text("$share/g/a") + "\4"s), k5,
         protocol_error},
        {"subscription identifier 0", packet(0x82, "\0\1"s + properties("\x0b\0"s) + text("a") + "\0"s), k5,
         protocol_error},
        {"filter with # in the middle [MQTT-4.7.1-1]", packet(0x82, "\0\1"s + text("a/#/b") + "\0"s), k311},
        {"filter with + beside text [MQTT-4.7.1-2]", packet(0x82, "\0\1"s + text("a+/b") + "\0"s), k311},
        {"filter that is empty", packet(0x82, "\0\1"s + text("") + "\0"s), k311},
        {"shared without a group [MQTT-4.8.2-1]", packet(0x82, "\0\1\0"s + text("$share//a") + "\0"s), k5},
        {"shared without a filter [MQTT-4.8.2-2]", packet(0x82, "\0\1\0"s + text("$share/g") + "\0"s), k5},
        {"shared group with a wildcard [MQTT-4.8.2-1]", packet(0x82, "\0\1\0"s + text("$share/g+/a") + "\0"s), k5},
    });
}

TEST_CASE("unsubscribe, ping, disconnect and auth") {
    CHECK(must_decode<Unsubscribe>(packet(0xa2, "\0\1"s + text("a") + text("b/#")), k311).filters.size() == 2);
    CHECK(must_decode<Disconnect>(packet(0xe0, ""), k5).reason == ReasonCode::success);
    const auto got = must_decode<Disconnect>(packet(0xe0, "\4"s + properties("\x11\0\0\0\x0a"s)), k5);
    CHECK(got.reason == ReasonCode::disconnect_with_will);
    CHECK(got.session_expiry_interval == 10U);
    CHECK(must_decode<Auth>(packet(0xf0, "\x19"s + properties("\x15"s + text("m"))), k5).method == "m");
    const auto protocol_error = ReasonCode::protocol_error;
    check_all({
        {"UNSUBSCRIBE without a filter [MQTT-3.10.3-2]", packet(0xa2, "\0\1"s), k311, protocol_error},
        {"UNSUBSCRIBE with identifier 0", packet(0xa2, "\0\0"s + text("a")), k311, protocol_error},
        {"UNSUBSCRIBE that is cut off", packet(0xa2, "\0\1\0\5a"s), k311},
        {"PINGREQ with a body", packet(0xc0, "x"), k311},
        {"DISCONNECT with a body in 3.1.1", packet(0xe0, "\0"s), k311},
        {"DISCONNECT with a reason of a server", packet(0xe0, "\x8b"s), k5, protocol_error},
        {"DISCONNECT with a server reference", packet(0xe0, "\0"s + properties("\x1c"s + text("x"))), k5},
        {"AUTH with an unknown reason", packet(0xf0, "\1"s), k5, protocol_error},
    });
}

TEST_CASE("packet: every cut of a good one is refused, and none reads beyond its end") {
    const std::vector<std::pair<std::string, ProtocolVersion>> good = {
        {connect(0xee, text("pump-1") + text("gone") + text("bye") + text("user") + text("secret")), k311},
        {connect(0xc6, text("c") + properties("\x18\0\0\0\5"s) + text("gone") + text("bye") + text("u") + text("p"), k5,
                 "\x11\0\0\1\0\x26"s + text("k") + text("v")),
         k5},
        {packet(0x82, "\0\7"s + properties("\x0b\1"s) + text("a/+") + "\1"s), k5},
        {packet(0xa2, "\0\7"s + properties("\x26"s + text("k") + text("v")) + text("a/+")), k5},
        {packet(0x40, "\0\7\x10"s + properties("\x1f"s + text("why"))), k5},
    };
    for (const auto& [bytes, version] : good) {
        CHECK(is_good(bytes, version));
        const auto frame = std::get<Frame>(next_frame(bytes, 1000));
        for (std::size_t size = 0; size < frame.body.size(); ++size) {
            const std::string cut(frame.body.data(), size);  // on the heap: a sanitizer sees each byte beyond
            // An acknowledgement may end after the identifier, or after the reason.
            if (frame.type() == PacketType::puback && (size == 2 || size == 3)) continue;
            const auto decoded = decode_packet({frame.type_and_flags, cut, size + 2}, version);
            CHECK(std::holds_alternative<Fault>(decoded));
        }
    }
}
