// memories.hpp: the functions that remember one thing: a value, a time, a state.
#pragma once

#include "models/windows/windows.hpp"

namespace sluice::models {

/// The newest value by event time.
[[nodiscard]] Function last_value();
/// The value before the newest; it takes the values in the order of their time and passes over those that come late.
[[nodiscard]] Function previous_value();
/// Exponentially weighted mean with time constant `memory`: a value of that age counts 1/e of a new one. Late values
/// are passed over.
[[nodiscard]] Function ewma(Duration memory);
/// 1 from where the value passes `on` until it passes `off`: upwards where on >= off, else downwards.
[[nodiscard]] Function hysteresis(double on, double off);
/// For how long the condition (0, 1) has been true, in seconds; 0 while it is false.
[[nodiscard]] Function lasting();
/// 1 when no input has come for `length`, counted from when the device was first seen; it changes by time alone.
[[nodiscard]] Function absent(Duration length);

}  // namespace sluice::models
