#include "bridge/mqtt/packet_decode.hpp"

#include "bridge/mqtt/topic_name.hpp"
#include "bridge/mqtt/wire.hpp"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <utility>

namespace sluice::bridge::mqtt {

namespace {

constexpr std::size_t kFixedHeaderBytesMax = 5;
constexpr std::size_t kClientIdBytesMaxOf31 = 23;

Fault malformed(const char* what) {
    return {ReasonCode::malformed_packet, what};
}

Fault protocol_error(const char* what) {
    return {ReasonCode::protocol_error, what};
}

bool is_one_of(std::uint8_t value, std::initializer_list<std::uint8_t> allowed) {
    return std::find(allowed.begin(), allowed.end(), value) != allowed.end();
}

void take_message_property(const Property& property, MessageProperties& message) {
    switch (property.id) {
        case PropertyId::payload_format_indicator:
            message.payload_format_indicator = property.number;
            break;
        case PropertyId::message_expiry_interval:
            message.message_expiry_interval = property.number;
            break;
        case PropertyId::content_type:
            message.content_type = property.text;
            break;
        case PropertyId::response_topic:
            message.response_topic = property.text;
            break;
        case PropertyId::correlation_data:
            message.correlation_data = property.text;
            break;
        case PropertyId::user_property:
            message.user.emplace_back(property.name, property.text);
            break;
        default:
            break;
    }
}

std::optional<Fault> check_response_topic(const MessageProperties& properties) {
    if (!properties.response_topic || is_topic_name(*properties.response_topic)) return std::nullopt;
    return protocol_error("response topic with wildcards, or empty [MQTT-3.3.2-14]");
}

void take_connect_property(const Property& property, Connect& connect) {
    switch (property.id) {
        case PropertyId::session_expiry_interval:
            connect.session_expiry_interval = property.number;
            break;
        case PropertyId::receive_maximum:
            connect.receive_maximum = static_cast<std::uint16_t>(property.number);
            break;
        case PropertyId::maximum_packet_size:
            connect.maximum_packet_size = property.number;
            break;
        case PropertyId::topic_alias_maximum:
            connect.topic_alias_maximum = static_cast<std::uint16_t>(property.number);
            break;
        case PropertyId::request_response_information:
            connect.request_response_information = property.number != 0;
            break;
        case PropertyId::request_problem_information:
            connect.request_problem_information = property.number != 0;
            break;
        case PropertyId::authentication_method:
            connect.authentication_method = property.text;
            break;
        case PropertyId::authentication_data:
            connect.authentication_data = property.text;
            break;
        case PropertyId::user_property:
            connect.user.emplace_back(property.name, property.text);
            break;
        default:
            break;
    }
}

struct ConnectFlags {
    bool clean_start, will, will_retain, password, user_name;
    std::uint8_t will_qos;

    explicit ConnectFlags(unsigned bits)
        : clean_start((bits & 0x02U) != 0),
          will((bits & 0x04U) != 0),
          will_retain((bits & 0x20U) != 0),
          password((bits & 0x40U) != 0),
          user_name((bits & 0x80U) != 0),
          will_qos(static_cast<std::uint8_t>((bits >> 3U) & 0x03U)) {}
};

std::optional<Fault> check_connect_flags(unsigned bits, ProtocolVersion version) {
    const ConnectFlags flags(bits);
    if ((bits & 0x01U) != 0) return malformed("reserved flag of CONNECT is set [MQTT-3.1.2-3]");
    if (flags.will_qos > 2) return malformed("will QoS 3 [MQTT-3.1.2-12]");
    if (!flags.will && (flags.will_qos != 0 || flags.will_retain)) {
        return malformed("will QoS or will retain without a will [MQTT-3.1.2-11]");
    }
    if (version != ProtocolVersion::v5 && flags.password && !flags.user_name) {
        return malformed("password without a user name (MQTT 3.1.1) [MQTT-3.1.2-22]");
    }
    return std::nullopt;
}

std::optional<Fault> take_will(WireReader& in, const ConnectFlags& flags, Connect& connect) {
    auto& will = connect.will.emplace();
    will.qos = flags.will_qos;
    will.retain = flags.will_retain;
    if (connect.version == ProtocolVersion::v5) {
        auto fault = read_properties(in, PropertyPlace::will, [&](const Property& property) {
            if (property.id == PropertyId::will_delay_interval)
                will.delay_interval = property.number;
            else
                take_message_property(property, will.properties);
        });
        if (!fault) fault = check_response_topic(will.properties);
        if (fault) return fault;
    }
    will.topic = in.text();
    will.payload = in.binary();
    if (in.ok() && !is_topic_name(will.topic)) return malformed("will topic with wildcards, or empty [MQTT-3.3.2-2]");
    return std::nullopt;
}

std::optional<Fault> check_client_id(const Connect& connect) {
    const bool too_long = connect.client_id.size() > kClientIdBytesMaxOf31;
    if (connect.version == ProtocolVersion::v3_1 && (connect.client_id.empty() || too_long)) {
        return Fault{ReasonCode::client_identifier_not_valid, "client identifier of 1 to 23 characters (MQTT 3.1)"};
    }
    if (connect.version == ProtocolVersion::v3_1_1 && connect.client_id.empty() && !connect.clean_start) {
        return Fault{ReasonCode::client_identifier_not_valid,
                     "no client identifier for a session to keep [MQTT-3.1.3-8]"};
    }
    return std::nullopt;
}

std::variant<ProtocolVersion, Fault> take_protocol(WireReader& in) {
    const auto name = in.text();
    const auto level = in.byte();
    if (!in.ok()) return malformed("CONNECT is cut off");
    if (name == "MQIsdp" && level == 3) return ProtocolVersion::v3_1;
    if (name == "MQTT" && level == 4) return ProtocolVersion::v3_1_1;
    if (name == "MQTT" && level == 5) return ProtocolVersion::v5;
    if (name != "MQTT" && name != "MQIsdp") return protocol_error("protocol name of another protocol [MQTT-3.1.2-1]");
    return Fault{ReasonCode::unsupported_protocol_version,
                 "protocol name and level are none of MQTT 3.1, 3.1.1 and 5 "
                 "[MQTT-3.1.2-1], [MQTT-3.1.2-2]"};
}

Decoded decode_connect(const Frame& frame) {
    WireReader in(frame.body);
    const auto protocol = take_protocol(in);
    if (const auto* fault = std::get_if<Fault>(&protocol)) return *fault;
    Connect connect;
    connect.version = std::get<ProtocolVersion>(protocol);
    const auto bits = in.byte();
    if (const auto fault = check_connect_flags(bits, connect.version)) return *fault;
    const ConnectFlags flags(bits);
    connect.clean_start = flags.clean_start;
    connect.keep_alive = in.two_bytes();
    if (connect.version == ProtocolVersion::v5) {
        const auto fault = read_properties(in, PropertyPlace::connect,
                                           [&](const Property& property) { take_connect_property(property, connect); });
        if (fault) return *fault;
        if (connect.authentication_data && !connect.authentication_method) {
            return protocol_error("authentication data without a method (MQTT 5, 3.1.2.11.10)");
        }
    }
    connect.client_id = in.text();
    if (flags.will) {
        if (const auto fault = take_will(in, flags, connect)) return *fault;
    }
    if (flags.user_name) connect.user_name = in.text();
    if (flags.password) connect.password = in.binary();
    if (!in.ok()) return malformed("CONNECT is cut off, or has a text that is not UTF-8 [MQTT-1.5.4-1]");
    if (!in.empty()) return malformed("bytes after the end of CONNECT");
    if (const auto fault = check_client_id(connect)) return *fault;
    return ClientPacket(std::move(connect));
}

std::optional<Fault> take_publish_properties(WireReader& in, PropertyPlace direction, Publish& publish) {
    const auto fault = read_properties(in, direction, [&](const Property& property) {
        if (property.id == PropertyId::topic_alias)
            publish.topic_alias = property.number;
        else if (property.id == PropertyId::subscription_identifier)
            publish.subscription_identifiers.push_back(property.number);
        else
            take_message_property(property, publish.properties);
    });
    return fault ? fault : check_response_topic(publish.properties);
}

Decoded decode_acknowledgement(const Frame& frame, ProtocolVersion version) {
    WireReader in(frame.body);
    Acknowledgement acknowledgement;
    acknowledgement.type = frame.type();
    acknowledgement.packet_id = in.two_bytes();
    if (version == ProtocolVersion::v5 && in.ok() && !in.empty()) {
        const auto reason = in.byte();
        const bool known = frame.type() == PacketType::puback || frame.type() == PacketType::pubrec
                               ? is_one_of(reason, {0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99})
                               : is_one_of(reason, {0x00, 0x92});
        if (!known) return protocol_error("acknowledgement with a reason code that it can't have [MQTT-3.4.2-1]");
        acknowledgement.reason = static_cast<ReasonCode>(reason);
        if (!in.empty()) {
            if (const auto fault = read_properties(in, PropertyPlace::acknowledgement, [](const Property&) {})) {
                return *fault;
            }
        }
    }
    if (!in.ok() || !in.empty()) return malformed("acknowledgement is cut off, or has bytes after its end");
    if (acknowledgement.packet_id == 0) return protocol_error("packet identifier 0 [MQTT-2.2.1-3]");
    return ClientPacket(acknowledgement);
}

std::optional<Fault> take_options(std::uint8_t options, ProtocolVersion version, Subscription& subscription) {
    const unsigned reserved = version == ProtocolVersion::v5 ? 0xc0U : 0xfcU;
    if ((options & reserved) != 0) return malformed("reserved bits of subscription options are set [MQTT-3.8.3-5]");
    subscription.qos = static_cast<std::uint8_t>(options & 0x03U);
    if (subscription.qos > 2) return malformed("subscription with QoS 3 [MQTT-3-8.3-4]");
    subscription.no_local = (options & 0x04U) != 0;
    subscription.retain_as_published = (options & 0x08U) != 0;
    const unsigned handling = (options >> 4U) & 0x03U;
    if (handling > 2) return protocol_error("retain handling 3 (MQTT 5, 3.8.3.1)");
    subscription.retain_handling = static_cast<RetainHandling>(handling);
    if (subscription.no_local && is_shared(subscription.filter)) {
        return protocol_error("no local on a shared subscription [MQTT-3.8.3-4]");
    }
    return std::nullopt;
}

bool is_filter(std::string_view text) {
    return is_shared(text) ? parse_shared(text).has_value() : is_topic_filter(text);
}

Decoded decode_subscribe(const Frame& frame, ProtocolVersion version) {
    WireReader in(frame.body);
    Subscribe subscribe;
    subscribe.packet_id = in.two_bytes();
    if (version == ProtocolVersion::v5) {
        const auto fault = read_properties(in, PropertyPlace::subscribe, [&](const Property& property) {
            if (property.id == PropertyId::subscription_identifier) subscribe.identifier = property.number;
        });
        if (fault) return *fault;
    }
    while (in.ok() && !in.empty()) {
        Subscription subscription;
        subscription.filter = in.text();
        const auto options = in.byte();
        if (!in.ok()) break;
        if (!is_filter(subscription.filter)) return malformed("topic filter is malformed [MQTT-4.7.1-1]");
        if (const auto fault = take_options(options, version, subscription)) return *fault;
        subscribe.subscriptions.push_back(subscription);
    }
    if (!in.ok()) return malformed("SUBSCRIBE is cut off, or has a text that is not UTF-8 [MQTT-3.8.3-1]");
    if (subscribe.packet_id == 0) return protocol_error("packet identifier 0 [MQTT-2.2.1-3]");
    if (subscribe.subscriptions.empty()) return protocol_error("SUBSCRIBE without a topic filter [MQTT-3.8.3-2]");
    return ClientPacket(std::move(subscribe));
}

Decoded decode_unsubscribe(const Frame& frame, ProtocolVersion version) {
    WireReader in(frame.body);
    Unsubscribe unsubscribe;
    unsubscribe.packet_id = in.two_bytes();
    if (version == ProtocolVersion::v5) {
        if (const auto fault = read_properties(in, PropertyPlace::unsubscribe, [](const Property&) {})) return *fault;
    }
    while (in.ok() && !in.empty()) {
        const auto filter = in.text();
        if (!in.ok()) break;
        if (!is_filter(filter)) return malformed("topic filter is malformed [MQTT-4.7.1-1]");
        unsubscribe.filters.push_back(filter);
    }
    if (!in.ok()) return malformed("UNSUBSCRIBE is cut off, or has a text that is not UTF-8 [MQTT-3.10.3-1]");
    if (unsubscribe.packet_id == 0) return protocol_error("packet identifier 0 [MQTT-2.2.1-3]");
    if (unsubscribe.filters.empty()) return protocol_error("UNSUBSCRIBE without a topic filter [MQTT-3.10.3-2]");
    return ClientPacket(std::move(unsubscribe));
}

Decoded decode_disconnect(const Frame& frame, ProtocolVersion version) {
    Disconnect disconnect;
    WireReader in(frame.body);
    if (version == ProtocolVersion::v5 && !in.empty()) {
        const auto reason = in.byte();
        if (!is_one_of(reason, {0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99})) {
            return protocol_error("DISCONNECT with a reason code that a client can't send [MQTT-3.14.2-1]");
        }
        disconnect.reason = static_cast<ReasonCode>(reason);
        if (!in.empty()) {
            const auto fault =
                read_properties(in, PropertyPlace::disconnect_from_client, [&](const Property& property) {
                    if (property.id != PropertyId::session_expiry_interval) return;
                    disconnect.session_expiry_interval = property.number;
                });
            if (fault) return *fault;
        }
    }
    if (!in.empty()) return malformed("bytes after the end of DISCONNECT");
    return ClientPacket(disconnect);
}

Decoded decode_auth(const Frame& frame, ProtocolVersion version) {
    if (version != ProtocolVersion::v5) return malformed("packet type 15 (MQTT 3.1.1) [MQTT-2.2.2-2]");
    Auth auth;
    WireReader in(frame.body);
    if (!in.empty()) {
        const auto reason = in.byte();
        if (!is_one_of(reason, {0x00, 0x18, 0x19})) return protocol_error("AUTH reason code [MQTT-3.15.2-1]");
        auth.reason = static_cast<ReasonCode>(reason);
        if (!in.empty()) {
            const auto fault = read_properties(in, PropertyPlace::auth, [&](const Property& property) {
                if (property.id == PropertyId::authentication_method) auth.method = property.text;
                if (property.id == PropertyId::authentication_data) auth.data = property.text;
            });
            if (fault) return *fault;
        }
    }
    if (!in.empty()) return malformed("bytes after the end of AUTH");
    return ClientPacket(auth);
}

/// The flags that each packet has to have [MQTT-2.1.3-1]; those of PUBLISH mean something.
bool flags_are_right(const Frame& frame) {
    switch (frame.type()) {
        case PacketType::publish:
            return true;
        case PacketType::pubrel:
        case PacketType::subscribe:
        case PacketType::unsubscribe:
            return frame.flags() == 2;
        default:
            return frame.flags() == 0;
    }
}

}  // namespace

std::variant<Frame, NeedMore, Fault> next_frame(std::string_view bytes, std::size_t size_max) {
    if (bytes.empty()) return NeedMore{};
    const auto type = static_cast<std::uint8_t>(bytes.front());
    if (type >> 4U == 0) return malformed("packet type 0 (MQTT 5, 2.1.2)");
    WireReader in(bytes.substr(1, kFixedHeaderBytesMax - 1));
    const auto remaining = in.variable_integer();
    if (!in.ok()) {
        const auto header = bytes.substr(0, kFixedHeaderBytesMax);
        const bool complete = header.size() == kFixedHeaderBytesMax ||
                              (header.size() > 1 && (static_cast<unsigned char>(header.back()) & 0x80U) == 0);
        if (complete) return malformed("remaining length is malformed [MQTT-1.5.5-1]");
        return NeedMore{};
    }
    const auto header_size = 1 + variable_integer_size(remaining);
    const auto size = header_size + remaining;
    if (size > size_max) return Fault{ReasonCode::packet_too_large, "the packet is larger than max_packet_size"};
    if (size > bytes.size()) return NeedMore{};
    return Frame{type, bytes.substr(header_size, remaining), size};
}

std::optional<ProtocolVersion> version_of_connect(const Frame& frame) {
    WireReader in(frame.body);
    const auto protocol = take_protocol(in);
    const auto* version = std::get_if<ProtocolVersion>(&protocol);
    return version == nullptr ? std::nullopt : std::optional(*version);
}

std::variant<Publish, Fault> decode_publish(const Frame& frame, ProtocolVersion version, PropertyPlace direction) {
    WireReader in(frame.body);
    Publish publish;
    publish.duplicate = (frame.flags() & 0x08U) != 0;
    publish.qos = static_cast<std::uint8_t>((frame.flags() >> 1U) & 0x03U);
    publish.retain = (frame.flags() & 0x01U) != 0;
    if (publish.qos > 2) return malformed("QoS 3 [MQTT-3.3.1-4]");
    if (publish.duplicate && publish.qos == 0) return malformed("DUP with QoS 0 [MQTT-3.3.1-2]");
    publish.topic = in.text();
    if (publish.qos > 0) publish.packet_id = in.two_bytes();
    if (!in.ok()) return malformed("PUBLISH is cut off, or its topic is not UTF-8 [MQTT-3.3.2-1]");
    if (publish.qos > 0 && publish.packet_id == 0) return protocol_error("packet identifier 0 [MQTT-2.2.1-3]");
    if (version == ProtocolVersion::v5) {
        if (const auto fault = take_publish_properties(in, direction, publish)) return *fault;
        if (publish.topic_alias == 0U) return Fault{ReasonCode::topic_alias_invalid, "topic alias 0 [MQTT-3.3.2-8]"};
    }
    if (publish.topic.empty() && !publish.topic_alias) {
        return protocol_error("PUBLISH without a topic [MQTT-4.7.3-1], [MQTT-3.3.2-1]");
    }
    if (!publish.topic.empty() && !is_topic_name(publish.topic)) {
        return Fault{ReasonCode::topic_name_invalid, "wildcards in the topic of a PUBLISH [MQTT-3.3.2-2]"};
    }
    publish.payload = in.rest();
    return publish;
}

Decoded decode_packet(const Frame& frame, ProtocolVersion version) {
    if (!flags_are_right(frame)) return malformed("flags of the fixed header [MQTT-2.1.3-1]");
    switch (frame.type()) {
        case PacketType::connect:
            return decode_connect(frame);
        case PacketType::publish: {
            auto publish = decode_publish(frame, version, PropertyPlace::publish_to_server);
            if (const auto* fault = std::get_if<Fault>(&publish)) return *fault;
            return ClientPacket(std::move(std::get<Publish>(publish)));
        }
        case PacketType::puback:
        case PacketType::pubrec:
        case PacketType::pubrel:
        case PacketType::pubcomp:
            return decode_acknowledgement(frame, version);
        case PacketType::subscribe:
            return decode_subscribe(frame, version);
        case PacketType::unsubscribe:
            return decode_unsubscribe(frame, version);
        case PacketType::pingreq:
            if (!frame.body.empty()) return malformed("bytes after the end of PINGREQ");
            return ClientPacket(Ping{});
        case PacketType::disconnect:
            return decode_disconnect(frame, version);
        case PacketType::auth:
            return decode_auth(frame, version);
        case PacketType::connack:
        case PacketType::suback:
        case PacketType::unsuback:
        case PacketType::pingresp:
            break;
    }
    return protocol_error("packet that only a server sends (MQTT 5, 2.1.2)");
}

}  // namespace sluice::bridge::mqtt
