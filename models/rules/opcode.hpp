// opcode.hpp: what one step of a program does. Numbers and booleans are doubles; NaN is "no value".
#pragma once

#include <cstdint>

namespace sluice::models::rules {

enum class Opcode : std::uint8_t {
    none,
    // values
    literal,
    text_literal,
    state,
    field_number,
    field_boolean,
    field_text,
    field_numbers,
    field_any,
    has,
    device,
    hour,
    weekday,
    age,
    // operators
    negate,
    add,
    subtract,
    multiply,
    divide,
    less,
    less_equal,
    greater,
    greater_equal,
    equal,
    not_equal,
    text_equal,
    text_not_equal,
    glob,
    not_glob,
    logic_and,
    logic_or,
    logic_not,
    // choice
    if_else,
    when,
    or_default,
    // numbers
    abs,
    sqrt,
    exp,
    ln,
    log10,
    pow,
    floor,
    ceil,
    round,
    sign,
    least,
    greatest,
    clamp,
    // texts and arrays
    contains,
    starts_with,
    ends_with,
    text_length,
    numbers_length,
    mean,
    rms,
    peak,
};

}  // namespace sluice::models::rules
