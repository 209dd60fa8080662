#include "models/rules/lexer.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>

namespace sluice::models::rules {

namespace {

struct Unit {
    std::string_view name;
    double seconds;
};
constexpr std::array<Unit, 6> kUnits{{{"ms", 0.001}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}, {"w", 604800}}};
constexpr const char* kUnitsToWrite = "ms, s, m, h, d and w follow a number, such as 5m or 1h30m";

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

class Lexer {
 public:
    explicit Lexer(std::string_view text) : text_(text) {}

    std::variant<std::vector<Token>, Diagnostic> run() {
        if (text_.size() > kExpressionBytesMax) {
            return diagnostic(text_, {kExpressionBytesMax, 1}, "the expression is longer than 4096 bytes",
                              "make several rules of it");
        }
        while (skip_blanks(), at_ < text_.size()) {
            if (auto fault = next()) return std::move(*fault);
        }
        tokens_.push_back({Token::Kind::end, {text_.size(), 1}, "", 0});
        return std::move(tokens_);
    }

 private:
    [[nodiscard]] char peek(std::size_t ahead = 0) const {
        return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
    }

    void skip_blanks() {
        while (at_ < text_.size()) {
            const char c = text_[at_];
            if (c == '#') {
                at_ = std::min(text_.find('\n', at_), text_.size());
            } else if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
                ++at_;
            } else {
                return;
            }
        }
    }

    void push(Token::Kind kind, std::size_t from, std::string text, double number = 0) {
        tokens_.push_back({kind, {from, at_ - from}, std::move(text), number});
    }
    [[nodiscard]] Diagnostic fault(std::size_t from, std::string what, std::string to_do) const {
        return diagnostic(text_, {from, at_ - from}, std::move(what), std::move(to_do));
    }

    std::optional<Diagnostic> next() {
        const char c = peek();
        if (is_digit(c) || (c == '.' && is_digit(peek(1)))) return number();
        if (c == '"' || c == '\'') return quoted(c, Token::Kind::text);
        if (c == '`') return quoted(c, Token::Kind::quoted_name);
        if (!is_letter(c)) return sign();
        const auto from = at_;
        while (is_letter(peek()) || is_digit(peek())) ++at_;
        push(Token::Kind::name, from, std::string(text_.substr(from, at_ - from)));
        return std::nullopt;
    }

    std::optional<Diagnostic> number() {
        const auto from = at_;
        double value = 0;
        if (!read_number(value)) return fault(from, "the number is out of range", "up to 1e308");
        if (peek() == '%') {
            ++at_;
            push(Token::Kind::number, from, "", value / 100);
            return std::nullopt;
        }
        if (!is_letter(peek())) {
            push(Token::Kind::number, from, "", value);
            return std::nullopt;
        }
        double seconds = 0;
        for (;;) {
            const auto unit_from = at_;
            while (is_letter(peek())) ++at_;
            const auto name = text_.substr(unit_from, at_ - unit_from);
            const auto* unit =
                std::find_if(kUnits.begin(), kUnits.end(), [&](const Unit& u) { return u.name == name; });
            if (unit == kUnits.end()) {
                return fault(unit_from, "\"" + std::string(name) + "\" is no unit", kUnitsToWrite);
            }
            seconds += value * unit->seconds;
            if (!is_digit(peek())) break;
            if (!read_number(value)) return fault(from, "the number is out of range", "up to 1e308");
            if (!is_letter(peek())) return fault(from, "a unit is missing at the end", kUnitsToWrite);
        }
        push(Token::Kind::duration, from, "", seconds);
        return std::nullopt;
    }

    bool read_number(double& value) {
        const auto parsed = std::from_chars(text_.data() + at_, text_.data() + text_.size(), value);
        if (parsed.ec != std::errc()) {
            ++at_;
            return false;
        }
        at_ = static_cast<std::size_t>(parsed.ptr - text_.data());
        return std::isfinite(value);
    }

    std::optional<Diagnostic> quoted(char quote, Token::Kind kind) {
        const auto from = at_++;
        std::string out;
        while (at_ < text_.size() && peek() != quote) {
            char c = text_[at_++];
            if (c == '\\' && quote != '`') {
                const char escaped = peek();
                if (escaped == 'n' || escaped == 't') {
                    c = escaped == 'n' ? '\n' : '\t';
                } else if (escaped == '\\' || escaped == '"' || escaped == '\'') {
                    c = escaped;
                } else {
                    return fault(at_ - 1, "a backslash that escapes nothing", R"(write \\ for a backslash)");
                }
                ++at_;
            }
            out += c;
        }
        if (at_ == text_.size()) {
            return fault(from, "the text has no end", std::string("close it with ") + quote);
        }
        ++at_;
        push(kind, from, std::move(out));
        return std::nullopt;
    }

    std::optional<Diagnostic> sign() {
        static constexpr std::array<std::string_view, 21> kSigns{"==", "!=", "<=", ">=", "=~", "!~", "&&",
                                                                 "||", "<",  ">",  "+",  "-",  "*",  "/",
                                                                 "(",  ")",  "[",  "]",  ",",  ".",  "!"};
        const auto from = at_;
        for (const auto known : kSigns) {
            if (!text_.substr(at_).starts_with(known)) continue;
            at_ += known.size();
            push(Token::Kind::sign, from, std::string(known));
            return std::nullopt;
        }
        const char c = text_[at_++];
        if (c == '=' && names_argument()) {
            tokens_.push_back({Token::Kind::sign, {from, 1}, "="});
            return std::nullopt;
        }
        if (c == '=') return fault(from, "\"=\" sets nothing here", "write == to compare");
        if (c == '&' || c == '|') return fault(from, "there are no operations on bits", "write \"and\" or \"or\"");
        if (c == '%') return fault(from, "a percent sign without a number", "write 80% without a blank");
        if (c == '^') return fault(from, "\"^\" is no operator", "write pow(x, 2)");
        while (at_ < text_.size() && (static_cast<unsigned char>(text_[at_]) & 0xC0U) == 0x80U) ++at_;
        return fault(from, "unexpected \"" + std::string(text_.substr(from, at_ - from)) + "\"",
                     "a name with other signs than letters, digits and _ is written in `backquotes`");
    }

    std::string_view text_;
    std::size_t at_ = 0;
    /// Whether "limit" of "(limit=" or ", limit=" was the last.
    [[nodiscard]] bool names_argument() const {
        const auto count = tokens_.size();
        if (count < 2 || tokens_[count - 1].kind != Token::Kind::name) return false;
        const auto& before = tokens_[count - 2];
        return before.kind == Token::Kind::sign && (before.text == "(" || before.text == ",");
    }

    std::vector<Token> tokens_;
};

}  // namespace

std::variant<std::vector<Token>, Diagnostic> tokenize(std::string_view text) {
    return Lexer(text).run();
}

}  // namespace sluice::models::rules
