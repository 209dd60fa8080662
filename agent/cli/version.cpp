#include "agent/cli/commands.hpp"

#include <cstdio>

namespace sluice::agent {

int version_command() {
    std::printf("sluice %s\n", SLUICE_VERSION);
    return kExitSuccess;
}

}  // namespace sluice::agent
