// broker_options.hpp: what a server allows, and what it tells its clients of it.
#pragma once

#include "bridge/mqtt/retained.hpp"
#include "bridge/mqtt/session.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace sluice::bridge::mqtt {

struct BrokerOptions {
    std::size_t packet_bytes_max = 1U << 20U;    ///< a longer packet ends its connection
    std::chrono::seconds keep_alive_max{3600};   ///< announced where a client asks for more, or for none
    std::uint16_t receive_maximum = 20;          ///< messages of QoS 1 and 2 of one client that are not acknowledged
    std::uint16_t topic_alias_maximum = 10;      ///< of a client, and of ours to it
    std::uint32_t session_expiry_max = 604'800;  ///< seconds
    QueueLimits queue{};
    std::size_t subscriptions_max = 100;  ///< of one session
    unsigned message_rate_max = 0;        ///< messages a second of one client; beyond it, it waits; 0: any
    std::size_t sessions_max = 20'000;
    bool retain_available = true;
    RetainedLimits retained{};
    std::vector<std::string> local_only{};     ///< topic filters: what matches is passed on and not kept in the log
    std::chrono::seconds connect_timeout{10};  ///< from the connection to its CONNECT
};

}  // namespace sluice::bridge::mqtt
