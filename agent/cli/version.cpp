#include "agent/cli/commands.hpp"

#include <iostream>

namespace sluice::agent {

int version_command() {
    std::cout << "sluice " << SLUICE_VERSION << std::endl;
    return kExitSuccess;
}

}  // namespace sluice::agent
