// clock.hpp: time as a parameter, so that a test can hold it.
#pragma once

#include "storage/types.hpp"

namespace sluice::storage {

class Clock {
 public:
    virtual ~Clock() = default;
    /// Wall-clock time; may jump. Used for record timestamps and retention. Thread-safe.
    [[nodiscard]] virtual Timestamp now() const = 0;
};

class SystemClock final : public Clock {
 public:
    [[nodiscard]] Timestamp now() const override {
        return std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
    }
};

}  // namespace sluice::storage
