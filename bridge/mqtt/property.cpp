#include "bridge/mqtt/property.hpp"

#include "bridge/mqtt/wire.hpp"

#include <array>
#include <initializer_list>

namespace sluice::bridge::mqtt {

namespace {

enum class Type : std::uint8_t { none, byte, two_bytes, four_bytes, variable_integer, text, binary, pair };
enum class Values : std::uint8_t { any, not_zero, zero_or_one };

struct Rule {
    Type type = Type::none;
    unsigned places = 0;  // a bit for each
    Values values = Values::any;
};

constexpr unsigned bit(PropertyPlace place) {
    return 1U << static_cast<unsigned>(place);
}

constexpr unsigned in(std::initializer_list<PropertyPlace> places) {
    unsigned bits = 0;
    for (const auto place : places) bits |= bit(place);
    return bits;
}

constexpr std::size_t kIds = 0x2b;

constexpr std::array<Rule, kIds> make_rules() {
    using P = PropertyPlace;
    using enum PropertyId;
    std::array<Rule, kIds> rules{};
    const auto set = [&](PropertyId id, Type type, std::initializer_list<P> places, Values values = Values::any) {
        rules[static_cast<std::size_t>(id)] = {type, in(places), values};
    };
    set(payload_format_indicator, Type::byte, {P::will, P::publish_to_server, P::publish_to_client},
        Values::zero_or_one);
    set(message_expiry_interval, Type::four_bytes, {P::will, P::publish_to_server, P::publish_to_client});
    set(content_type, Type::text, {P::will, P::publish_to_server, P::publish_to_client});
    set(response_topic, Type::text, {P::will, P::publish_to_server, P::publish_to_client});
    set(correlation_data, Type::binary, {P::will, P::publish_to_server, P::publish_to_client});
    // In a PUBLISH only from the server [MQTT-3.3.4-6].
    set(subscription_identifier, Type::variable_integer, {P::subscribe, P::publish_to_client}, Values::not_zero);
    // A server sends none in DISCONNECT [MQTT-3.14.2-2].
    set(session_expiry_interval, Type::four_bytes, {P::connect, P::connack, P::disconnect_from_client});
    set(assigned_client_identifier, Type::text, {P::connack});
    set(server_keep_alive, Type::two_bytes, {P::connack});
    set(authentication_method, Type::text, {P::connect, P::connack, P::auth});
    set(authentication_data, Type::binary, {P::connect, P::connack, P::auth});
    set(request_problem_information, Type::byte, {P::connect}, Values::zero_or_one);
    set(will_delay_interval, Type::four_bytes, {P::will});
    set(request_response_information, Type::byte, {P::connect}, Values::zero_or_one);
    set(response_information, Type::text, {P::connack});
    set(server_reference, Type::text, {P::connack, P::disconnect_from_server});
    set(reason_string, Type::text,
        {P::connack, P::acknowledgement, P::disconnect_from_client, P::disconnect_from_server, P::auth});
    set(receive_maximum, Type::two_bytes, {P::connect, P::connack}, Values::not_zero);
    set(topic_alias_maximum, Type::two_bytes, {P::connect, P::connack});
    // 0 is refused with a reason code of its own, by the PUBLISH.
    set(topic_alias, Type::two_bytes, {P::publish_to_server, P::publish_to_client});
    set(maximum_qos, Type::byte, {P::connack}, Values::zero_or_one);
    set(retain_available, Type::byte, {P::connack}, Values::zero_or_one);
    set(user_property, Type::pair,
        {P::connect, P::will, P::connack, P::publish_to_server, P::publish_to_client, P::acknowledgement, P::subscribe,
         P::unsubscribe, P::disconnect_from_client, P::disconnect_from_server, P::auth});
    set(maximum_packet_size, Type::four_bytes, {P::connect, P::connack}, Values::not_zero);
    set(wildcard_subscription_available, Type::byte, {P::connack}, Values::zero_or_one);
    set(subscription_identifier_available, Type::byte, {P::connack}, Values::zero_or_one);
    set(shared_subscription_available, Type::byte, {P::connack}, Values::zero_or_one);
    return rules;
}

constexpr auto kRules = make_rules();

/// A server sends one for each subscription that matched.
bool may_repeat(PropertyId id, PropertyPlace place) {
    return id == PropertyId::user_property ||
           (id == PropertyId::subscription_identifier && place == PropertyPlace::publish_to_client);
}

void read_value(WireReader& in, Type type, Property& property) {
    switch (type) {
        case Type::none:
            break;
        case Type::byte:
            property.number = in.byte();
            break;
        case Type::two_bytes:
            property.number = in.two_bytes();
            break;
        case Type::four_bytes:
            property.number = in.four_bytes();
            break;
        case Type::variable_integer:
            property.number = in.variable_integer();
            break;
        case Type::text:
            property.text = in.text();
            break;
        case Type::binary:
            property.text = in.binary();
            break;
        case Type::pair:
            property.name = in.text();
            property.text = in.text();
            break;
    }
}

bool may_have(Values values, std::uint32_t number) {
    return values == Values::any || (values == Values::not_zero ? number != 0 : number <= 1);
}

}  // namespace

std::optional<Fault> read_properties(WireReader& packet, PropertyPlace place,
                                     const std::function<void(const Property&)>& take) {
    const auto length = packet.variable_integer();
    WireReader in(packet.bytes(length));
    if (!packet.ok()) return Fault{ReasonCode::malformed_packet, "properties are cut off [MQTT-2.2.2-1]"};
    std::uint64_t seen = 0;
    while (!in.empty()) {
        // Identifiers are variable byte integers; all that there are take one byte.
        const auto id = in.variable_integer();
        if (!in.ok() || id >= kIds || kRules[id].type == Type::none) {
            return Fault{ReasonCode::malformed_packet, "unknown property (MQTT 5, 2.2.2.2)"};
        }
        const auto& rule = kRules[id];
        Property property;
        property.id = static_cast<PropertyId>(id);
        if ((rule.places & bit(place)) == 0) {
            return Fault{ReasonCode::malformed_packet, "property that may not be in this packet (MQTT 5, 2.2.2.2)"};
        }
        read_value(in, rule.type, property);
        if (!in.ok()) return Fault{ReasonCode::malformed_packet, "property is cut off or malformed (MQTT 5, 2.2.2.2)"};
        const auto mark = std::uint64_t{1} << id;
        if ((seen & mark) != 0 && !may_repeat(property.id, place)) {
            return Fault{ReasonCode::protocol_error, "property is there twice (MQTT 5, 2.2.2.2)"};
        }
        seen |= mark;
        if (!may_have(rule.values, property.number)) {
            return Fault{ReasonCode::protocol_error, "property has a value that is forbidden for it (MQTT 5, 2.2.2.2)"};
        }
        take(property);
    }
    return std::nullopt;
}

void PropertyWriter::number(PropertyId id, std::uint32_t value) {
    WireWriter out(bytes_);
    out.byte(static_cast<unsigned>(id));
    switch (kRules[static_cast<std::size_t>(id)].type) {
        case Type::byte:
            out.byte(value);
            break;
        case Type::two_bytes:
            out.two_bytes(value);
            break;
        case Type::four_bytes:
            out.four_bytes(value);
            break;
        default:
            out.variable_integer(value);
    }
}

void PropertyWriter::text(PropertyId id, std::string_view value) {
    WireWriter out(bytes_);
    out.byte(static_cast<unsigned>(id));
    out.binary(value);
}

void PropertyWriter::user(const UserProperties& properties) {
    WireWriter out(bytes_);
    for (const auto& [name, value] : properties) {
        out.byte(static_cast<unsigned>(PropertyId::user_property));
        out.binary(name);
        out.binary(value);
    }
}

}  // namespace sluice::bridge::mqtt
