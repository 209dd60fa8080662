// options.hpp: where the agent can be looked into, and by whom.
#pragma once

#include "bridge/mqtt/tls_context.hpp"

#include <optional>
#include <string>
#include <vector>

namespace sluice::agent::admin {

struct AdminOptions {
    std::optional<std::string> bind{"127.0.0.1:7878"};  ///< nullopt: only the Unix socket
    std::optional<std::string> token{};                 ///< required, with TLS, where `bind` is not loopback
    std::vector<std::string> hosts{};                   ///< names of this machine that clients may use, in lower case
    bridge::mqtt::ServerTlsOptions tls{};               ///< HTTPS where there is a certificate
};

}  // namespace sluice::agent::admin
