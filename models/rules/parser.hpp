// parser.hpp: tokens to a tree.
//
//   or          = and { ("or" | "||") and }
//   and         = not { ("and" | "&&") not }
//   not         = { "not" | "!" } comparison
//   comparison  = sum [ ("==" | "!=" | "<" | "<=" | ">" | ">=" | "=~" | "!~") sum ]
//   sum         = product { ("+" | "-") product }
//   product     = sign { ("*" | "/") sign }
//   sign        = { "-" } primary
//   primary     = number | duration | text | "true" | "false" | "(" or ")" | name "(" [ or { "," or } ] ")" | field
//   field       = name { "." name | "[" number "]" }
#pragma once

#include "models/rules/ast.hpp"

#include <string_view>
#include <variant>

namespace sluice::models::rules {

inline constexpr std::size_t kNestingMax = 64;  ///< of parentheses, calls and signs: the stack is bounded
inline constexpr std::size_t kNodesMax = 1000;

/// The tree of `text`, or the first thing that is wrong with it.
[[nodiscard]] std::variant<Node, Diagnostic> parse(std::string_view text);

}  // namespace sluice::models::rules
