// test_clock.hpp: time in the hands of a test.
#pragma once

#include "storage/clock.hpp"

#include <chrono>

namespace sluice::test {

/// A clock that a test moves.
class TestClock final : public storage::Clock {
 public:
    [[nodiscard]] storage::Timestamp now() const override { return now_; }
    [[nodiscard]] std::chrono::milliseconds steady() const override { return steady_; }
    void advance(std::chrono::milliseconds by) {
        now_ += by;
        steady_ += by;
    }
    /// As somebody sets a clock: no time passes.
    void set(storage::Timestamp now) { now_ = now; }

 private:
    storage::Timestamp now_{std::chrono::milliseconds(1'700'000'000'000)};
    std::chrono::milliseconds steady_{0};
};

}  // namespace sluice::test
