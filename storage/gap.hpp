// gap.hpp: records that the agent gave up on purpose or lost to corruption.
#pragma once

#include "storage/types.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace sluice::storage {

struct Gap {
    std::string stream;
    Offset first;  ///< the lost records are between these two …
    Offset next;
    std::optional<std::int64_t> count;  ///< … and so many; nullopt: at most all of the range, nobody knows
    std::string reason;
    /// Where there is one: to be called, on any thread, once the report is durable; until then each start repeats it.
    std::function<void()> told = {};
};

}  // namespace sluice::storage
