// kafka_config.hpp: from our options to librdkafka's properties, and the check of those that a user passes through.
#pragma once

#include "bridge/kafka/options.hpp"

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::bridge::kafka {

/// Whether a user may set this librdkafka property to this value.
/// @return nullopt, or what is wrong and what to do. Properties that would break the delivery contract are refused
///         with the reason, unknown ones and bad values with librdkafka's own words.
[[nodiscard]] std::optional<std::string> check_property(const std::string& name, const std::string& value);

/// What a user should know before they rely on a property that may be set.
[[nodiscard]] std::optional<std::string> warn_of_property(const std::string& name, const std::string& value);

/// What librdkafka finds only when it starts: files that it can't read, properties that contradict each other. It
/// starts without a broker, and connects to nothing.
/// @return nullopt, or librdkafka's words, with the property's name in them where there is one
[[nodiscard]] std::optional<std::string> fault_at_start(const ClusterOptions& options);

/// All properties of the producer that `options.delivery` needs: ours, and the user's after them.
[[nodiscard]] std::map<std::string, std::string> producer_properties(const ClusterOptions& options);

/// In "sasl.oauthbearer.config", before the path of a file with the token (oauth_token.hpp).
inline constexpr std::string_view kTokenFilePrefix = "token_file=";

/// After this the coordinator aborts a transaction (transaction.timeout.ms; checked by check_property()).
[[nodiscard]] std::chrono::milliseconds transaction_timeout(const ClusterOptions& options);

}  // namespace sluice::bridge::kafka
