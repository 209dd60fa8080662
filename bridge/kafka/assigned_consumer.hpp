// assigned_consumer.hpp: a consumer that is told what to read: partitions are assigned by hand, no group is joined.
#pragma once

#include "bridge/kafka/handles.hpp"
#include "bridge/kafka/options.hpp"
#include "storage/result.hpp"

#include <string>

namespace sluice::bridge::kafka {

/// @param group  needed by librdkafka, and never joined
/// @return Errc::rejected for a property that it doesn't take
[[nodiscard]] storage::Result<Handle> open_assigned_consumer(const ClusterOptions& options, const std::string& group,
                                                             const char* isolation_level);

}  // namespace sluice::bridge::kafka
