// kafka_config.hpp: from our options to librdkafka's properties, and the check of those that a user passes through.
#pragma once

#include "bridge/kafka/options.hpp"

#include <map>
#include <optional>
#include <string>

namespace sluice::bridge::kafka {

/// Whether a user may set this librdkafka property to this value.
/// @return nullopt, or what is wrong and what to do. Properties that would break the delivery contract are refused
///         with the reason, unknown ones and bad values with librdkafka's own words.
[[nodiscard]] std::optional<std::string> check_property(const std::string& name, const std::string& value);

/// What a user should know before they rely on a property that may be set.
[[nodiscard]] std::optional<std::string> warn_of_property(const std::string& name, const std::string& value);

/// All properties of the idempotent producer: ours, and the user's after them.
[[nodiscard]] std::map<std::string, std::string> producer_properties(const ClusterOptions& options);

}  // namespace sluice::bridge::kafka
