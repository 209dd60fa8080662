// source_options.hpp: an MQTT broker that we subscribe to, as configured.
#pragma once

#include "bridge/mqtt/protocol.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sluice::bridge::mqtt {

struct TlsOptions {
    std::optional<std::string> ca_file;    ///< PEM; nullopt: the system's trust store
    std::optional<std::string> cert_file;  ///< client certificate chain, PEM
    std::optional<std::string> key_file;   ///< its key, PEM
    bool verify = true;                    ///< false accepts any broker: for a bench, never for a plant
};

struct SourceOptions {
    std::string name;                 ///< unique among the sources; part of the client id and of records' state
    std::string url;                  ///< mqtt://host:port or mqtts://host:port
    std::vector<std::string> topics;  ///< topic filters
    std::uint8_t qos = 1;
    ProtocolVersion version = ProtocolVersion::v5;
    std::string client_id;  ///< stable over restarts: it names the persistent session
    std::optional<std::string> username;
    std::optional<std::string> password;  ///< resolved from file or environment; never printed
    TlsOptions tls;                       ///< used with mqtts
    std::chrono::seconds keep_alive{30};
    std::chrono::seconds session_expiry{
        std::chrono::hours(24 * 7)};  ///< MQTT 5; 3.1.1 sessions live as the broker says
    std::chrono::milliseconds connect_timeout{10'000};
    std::chrono::milliseconds reconnect_min{1'000};  ///< exponential backoff with jitter between these two
    std::chrono::milliseconds reconnect_max{60'000};
    std::uint16_t receive_maximum = 100;  ///< MQTT 5: how many QoS 1 and 2 messages may be in flight to us
};

}  // namespace sluice::bridge::mqtt
