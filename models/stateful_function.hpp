// stateful_function.hpp: a function that remembers: a window, a timer, a detector, a life model.
//
// Why one interface: a device's memory is one flat block whose size is known when the rules are loaded. Whatever
// remembers says how many bytes it needs and works inside them, so that a snapshot is a copy of the block and eviction
// frees it. Invariants
//   - an object is constant after it was made and shared by all devices and threads; what changes is in `state`.
//   - `state` holds no pointers and is trivially copyable; it is the same on every little-endian machine.
//   - whatever bytes are in `state`, no call reads or writes outside it.
//   - nothing is read but the arguments: no clock, no random numbers. The same inputs give the same values.
#pragma once

#include "models/time.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace sluice::models {

/// One record's arguments of a stateful function; it is called only where all of them have a value.
struct Input {
    Time time;  ///< event time; may be before that of the last call, by the rule's lateness at most
    std::span<const double> values;   ///< the number and boolean (0, 1) arguments, in order, without the constants
    std::span<const double> samples;  ///< the array argument, where the function has one
};

class StatefulFunction {
 public:
    StatefulFunction() = default;
    StatefulFunction(const StatefulFunction&) = delete;
    StatefulFunction& operator=(const StatefulFunction&) = delete;
    StatefulFunction(StatefulFunction&&) = delete;
    StatefulFunction& operator=(StatefulFunction&&) = delete;
    virtual ~StatefulFunction() = default;

    /// Bytes for each device: a multiple of 8, and `state` is aligned to 8.
    [[nodiscard]] virtual std::size_t state_bytes() const = 0;

    /// Makes `state` that of a device of which nothing is known before `now`.
    virtual void start(std::byte* state, Time now) const = 0;

    virtual void add(std::byte* state, const Input& input) const = 0;

    /// The value at `now`, which never falls from call to call; NaN where there is none yet. Booleans are 0 and 1.
    /// `state` may change as a cache does.
    virtual double value(std::byte* state, Time now) const = 0;

    /// Whether next_change() is ever anything but kNever.
    [[nodiscard]] virtual bool moved_by_time() const { return false; }
    /// When the value will change after `now` without another record, so that a rule about silence is evaluated in
    /// time; kNever where it doesn't, or where that may wait for the next record (a window that empties).
    [[nodiscard]] virtual Time next_change(const std::byte* /*state*/, Time /*now*/) const { return kNever; }
};

}  // namespace sluice::models
