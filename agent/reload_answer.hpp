// reload_answer.hpp: what became of a reload: all of it, or nothing.
#pragma once

#include <string>
#include <vector>

namespace sluice::agent {

struct ReloadAnswer {
    bool done = false;
    std::vector<std::string> errors;         ///< not done: why; nothing was changed then
    std::vector<std::string> changed;        ///< what is in force now: "agent.log_level"
    std::vector<std::string> needs_restart;  ///< what has another value in the file, and stays as it was
};

}  // namespace sluice::agent
