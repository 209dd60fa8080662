// ast.hpp: an expression as it was written, before anything is known about types.
#pragma once

#include "models/rules/diagnostic.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace sluice::models::rules {

struct Node {
    enum class Kind : std::uint8_t { number, duration, text, boolean, field, call, unary, binary };
    Kind kind;
    Place place;        ///< all of it, with its operands
    std::string text;   ///< of a text its content, of a field its JSON pointer, of a call the function's name, of an
                        ///< operator its sign: + - * / == != < <= > >= =~ !~ and or not
    double number = 0;  ///< of a number, a duration (seconds) or a boolean
    std::vector<Node> operands;
    Place name{};            ///< of a call the function's name, of an operator its sign
    std::string argument{};  ///< of an argument that is given by name: limit=95
    Place argument_place{};
};

}  // namespace sluice::models::rules
