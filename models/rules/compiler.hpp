// compiler.hpp: the text of an expression to a program, or to all that is wrong with it.
#pragma once

#include "models/life/life_models.hpp"
#include "models/record_view.hpp"
#include "models/rules/diagnostic.hpp"
#include "models/rules/program.hpp"

#include <optional>
#include <string_view>
#include <variant>

namespace sluice::models::rules {

inline constexpr std::size_t kStateBytesMax = 64U << 10U;  ///< of one expression and device

/// Compiles `text`. The fields it reads get slots in `fields`, also where it fails.
/// @param wanted  what the value must be, such as Type::boolean for a rule; nullopt: a number or a boolean
/// @param models  those that remaining() may name
[[nodiscard]] std::variant<Program, Diagnostics> compile(std::string_view text, FieldTable& fields,
                                                         std::optional<Type> wanted, const LifeModels& models = {});

/// Compiles what a derivation writes: a number, a boolean or a text.
/// @param every  its interval: windows of this length begin anew with each; 0: none do
[[nodiscard]] std::variant<Program, Diagnostics> compile_value(std::string_view text, FieldTable& fields,
                                                               Duration every, const LifeModels& models = {});

}  // namespace sluice::models::rules
