// functions.hpp: the table of all functions. It is the only place that knows them: the compiler checks calls against
// it, and docs/rules.md's reference is printed from it (reference.hpp).
#pragma once

#include "models/life/life_model.hpp"
#include "models/rules/opcode.hpp"
#include "models/rules/types.hpp"
#include "models/stateful_function.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::models::rules {

struct Parameter {
    enum class Kind : std::uint8_t {
        number,  ///< of any power of time
        plain,   ///< a number without a time in it
        same,    ///< a number of the power of the first argument
        boolean,
        text,
        numbers,    ///< an array of numbers
        any_field,  ///< a field, whatever it holds
        branch,     ///< any type, the same for all parameters of this kind
        limit,      ///< a constant of the power of the first argument
        share,      ///< a constant from 0 to 1
        duration,   ///< a constant time: a window over time, or how long to remember
        window,     ///< a constant time, or a count of values
        constant,   ///< a constant number without a time in it
        model,      ///< the name of a learned model, as a text: it says which fields are evaluated
        word,       ///< one of `words`, as a text; the constant is its place among them
    };
    std::string_view name;
    Kind kind;
    std::optional<double> fallback{};  ///< where it is not given; only of constants, behind all that have none
    std::span<const std::string_view> words{};
};

/// What a stateful function is made of: its constants, in the order of their parameters.
struct Constant {
    double value;   ///< a time is in seconds
    bool is_count;  ///< of Kind::window: how many values
};
using Make = std::unique_ptr<const StatefulFunction> (*)(std::span<const Constant>);
/// … and of a model, where it has a parameter of that kind.
using MakeOfModel = std::unique_ptr<const StatefulFunction> (*)(const std::shared_ptr<const LifeModel>&,
                                                                std::span<const Constant>);

struct FunctionSpec {
    enum class Result : std::uint8_t { number, seconds, same, per_second, boolean, text, branch };
    std::string_view name;
    std::string_view group;  ///< a heading of the reference
    std::vector<Parameter> parameters;
    Result result;
    std::string_view doc;
    std::string_view example;      ///< an expression that compiles
    Opcode opcode = Opcode::none;  ///< of a function without memory
    Make make = nullptr;           ///< of a function that remembers
    MakeOfModel make_of_model = nullptr;
    [[nodiscard]] bool remembers() const { return make != nullptr || make_of_model != nullptr; }
};

/// All functions, by group in the order of the reference.
[[nodiscard]] const std::vector<FunctionSpec>& functions();

/// nullptr where there is none of this name.
[[nodiscard]] const FunctionSpec* find_function(std::string_view name);

/// "quantile(x: number, q: constant from 0 to 1, window: time or count) -> as x"
[[nodiscard]] std::string signature(const FunctionSpec& function);

}  // namespace sluice::models::rules
