// health.hpp: whether the agent can do its work, and if not, why.
#pragma once

#include "agent/snapshot.hpp"

#include <string>
#include <vector>

namespace sluice::agent::admin {

struct Health {
    std::vector<std::string> reasons;  ///< why what devices send can't be taken now; none: ready
    std::vector<std::string> notes;    ///< what somebody may want to look at, and yet records are taken
    [[nodiscard]] bool ready() const { return reasons.empty(); }
};

/// Ready means that messages are accepted. A cluster that is away is what the log is there for: a note.
[[nodiscard]] Health judge(const Snapshot& snapshot);

}  // namespace sluice::agent::admin
