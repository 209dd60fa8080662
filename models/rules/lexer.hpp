// lexer.hpp: the text of an expression, cut into tokens.
#pragma once

#include "models/rules/diagnostic.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace sluice::models::rules {

struct Token {
    enum class Kind : std::uint8_t { number, duration, text, name, quoted_name, sign, end };
    Kind kind;
    Place place;
    std::string text;   ///< a name, a text without its quotes and escapes, or a sign such as "<="
    double number = 0;  ///< of a number (a percentage is divided by 100) or a duration (seconds)
};

inline constexpr std::size_t kExpressionBytesMax = 4096;

/// Numbers: 1, 0.5, 1e-3, 80%. Durations: 5m, 1h30m, 250ms (ms, s, m, h, d, w). Texts in "" or '', with \" \' \\ \n \t.
/// Names: letters, digits and _; in `` ` `` whatever they are. Signs: + - * / ( ) [ ] , . == != < <= > >= =~ !~ and &&
/// || !. From # to the end of its line is a comment. The last token is of the kind `end`.
[[nodiscard]] std::variant<std::vector<Token>, Diagnostic> tokenize(std::string_view text);

}  // namespace sluice::models::rules
