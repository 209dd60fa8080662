// gap.hpp: a range of offsets that the agent gave up on purpose or lost to corruption.
#pragma once

#include "storage/types.hpp"

#include <string>

namespace sluice::storage {

struct Gap {
    std::string stream;
    Offset first;  ///< first lost offset
    Offset next;   ///< first offset after the gap
    std::string reason;
};

}  // namespace sluice::storage
