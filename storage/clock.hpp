// clock.hpp: time as a parameter, so that a test can hold it.
#pragma once

#include "storage/types.hpp"

#include <chrono>

namespace sluice::storage {

class Clock {
 public:
    virtual ~Clock() = default;
    /// Wall-clock time; may jump. Used for record timestamps, and what has to outlast the process. Thread-safe.
    [[nodiscard]] virtual Timestamp now() const = 0;
    /// Time since some moment of this process; never jumps. Thread-safe.
    [[nodiscard]] virtual std::chrono::milliseconds steady() const { return now().time_since_epoch(); }
};

class SystemClock final : public Clock {
 public:
    [[nodiscard]] Timestamp now() const override {
        return std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
    }
    [[nodiscard]] std::chrono::milliseconds steady() const override {
        return std::chrono::duration_cast<std::chrono::milliseconds>(
            std::chrono::steady_clock::now().time_since_epoch());
    }
};

}  // namespace sluice::storage
