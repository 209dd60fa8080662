// collect.hpp: from what the agent knows of itself to samples.
#pragma once

#include "agent/metrics/exposition.hpp"
#include "agent/snapshot.hpp"

namespace sluice::agent::metrics {

[[nodiscard]] Samples collect(const Snapshot& snapshot);

}  // namespace sluice::agent::metrics
