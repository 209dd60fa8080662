// protocol.hpp: the numbers of MQTT 3.1, 3.1.1 and 5.0 on the wire.
//
// Sources: MQTT 3.1.1 sections 2.2 and 3.2.2.3; MQTT 5.0 sections 2.1.2 and 2.4.
#pragma once

#include <cstdint>

namespace sluice::bridge::mqtt {

enum class ProtocolVersion : std::uint8_t { v3_1 = 3, v3_1_1 = 4, v5 = 5 };  // the protocol level byte of CONNECT

enum class PacketType : std::uint8_t {
    connect = 1,
    connack = 2,
    publish = 3,
    puback = 4,
    pubrec = 5,
    pubrel = 6,
    pubcomp = 7,
    subscribe = 8,
    suback = 9,
    unsubscribe = 10,
    unsuback = 11,
    pingreq = 12,
    pingresp = 13,
    disconnect = 14,
    auth = 15,
};

/// Reason codes of MQTT 5. What a client of 3.1.1 is told instead is decided where it is told (packet_encode.hpp).
enum class ReasonCode : std::uint8_t {
    success = 0x00,  // also: normal disconnection, granted QoS 0
    granted_qos_1 = 0x01,
    granted_qos_2 = 0x02,
    disconnect_with_will = 0x04,
    no_matching_subscribers = 0x10,
    no_subscription_existed = 0x11,
    continue_authentication = 0x18,
    reauthenticate = 0x19,
    unspecified_error = 0x80,
    malformed_packet = 0x81,
    protocol_error = 0x82,
    implementation_specific_error = 0x83,
    unsupported_protocol_version = 0x84,
    client_identifier_not_valid = 0x85,
    bad_user_name_or_password = 0x86,
    not_authorized = 0x87,
    server_unavailable = 0x88,
    server_busy = 0x89,
    banned = 0x8a,
    server_shutting_down = 0x8b,
    bad_authentication_method = 0x8c,
    keep_alive_timeout = 0x8d,
    session_taken_over = 0x8e,
    topic_filter_invalid = 0x8f,
    topic_name_invalid = 0x90,
    packet_identifier_in_use = 0x91,
    packet_identifier_not_found = 0x92,
    receive_maximum_exceeded = 0x93,
    topic_alias_invalid = 0x94,
    packet_too_large = 0x95,
    message_rate_too_high = 0x96,
    quota_exceeded = 0x97,
    administrative_action = 0x98,
    payload_format_invalid = 0x99,
    retain_not_supported = 0x9a,
    qos_not_supported = 0x9b,
    use_another_server = 0x9c,
    server_moved = 0x9d,
    shared_subscriptions_not_supported = 0x9e,
    connection_rate_exceeded = 0x9f,
    maximum_connect_time = 0xa0,
    subscription_identifiers_not_supported = 0xa1,
    wildcard_subscriptions_not_supported = 0xa2,
};

/// Why a packet is not taken: what DISCONNECT or CONNACK says, and the statement of the standard for the log.
struct Fault {
    ReasonCode code;
    const char* what;
};

}  // namespace sluice::bridge::mqtt
