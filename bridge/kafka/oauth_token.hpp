// oauth_token.hpp: SASL/OAUTHBEARER with a token that somebody else gets and renews, in a file (kafka.token_file).
//
// Why a file: librdkafka can fetch tokens itself (client credentials, "oidc"), but Debian builds it without that. What
// fetches one, how the client's secret is kept and who trusts whom differs from plant to plant; a file is what a timer
// with curl, a sidecar or a cloud's agent all can write. Included by bridge/kafka/*.cpp only.
#pragma once

#include "bridge/kafka/handles.hpp"

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::bridge::kafka {

/// Before a client is made of `conf`: its tokens come from the file that the properties name, if they do.
void take_tokens_from_file(rd_kafka_conf_t* conf, const std::map<std::string, std::string>& properties);
/// After it: tokens are renewed on a thread of librdkafka's, whether somebody polls or not.
void renew_tokens_in_background(rd_kafka_t* client);

struct Token {
    std::string text;
    std::chrono::sys_time<std::chrono::milliseconds> expires;
    std::string subject;
};
/// What the token says of itself, where it is a JWT (RFC 7519); its signature is the broker's business. Of another kind
/// of token nothing is known: it is read again after five minutes.
[[nodiscard]] Token describe_token(std::string text, std::chrono::sys_time<std::chrono::milliseconds> now);

}  // namespace sluice::bridge::kafka
