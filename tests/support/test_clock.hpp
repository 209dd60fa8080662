// test_clock.hpp: time in the hands of a test.
#pragma once

#include "storage/clock.hpp"

#include <chrono>

namespace sluice::test {

/// A clock that a test moves.
class TestClock final : public storage::Clock {
 public:
    [[nodiscard]] storage::Timestamp now() const override { return now_; }
    void advance(std::chrono::milliseconds by) { now_ += by; }
    void set(storage::Timestamp now) { now_ = now; }

 private:
    storage::Timestamp now_{std::chrono::milliseconds(1'700'000'000'000)};
};

}  // namespace sluice::test
