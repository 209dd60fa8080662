#include "models/rules/parser.hpp"

#include "models/rules/lexer.hpp"

#include <array>
#include <cmath>
#include <initializer_list>
#include <optional>

namespace sluice::models::rules {

namespace {

/// Thrown inside the parser only, and caught in parse().
struct Fault {
    Diagnostic diagnostic;
};

class Parser {
 public:
    Parser(std::string_view text, std::vector<Token> tokens) : text_(text), tokens_(std::move(tokens)) {}

    Node run() {
        if (next().kind == Token::Kind::end)
            fail(next(), "there is no expression", "write one, such as temperature > 80");
        Node node = disjunction();
        if (next().kind == Token::Kind::end) return node;
        if (is(")")) fail(next(), "there is no \"(\" that this closes", "take it away");
        fail(next(), "expected an operator before " + named(next()), "such as and, or, <, ==, +");
    }

 private:
    // What is next

    [[nodiscard]] const Token& next() const { return tokens_[at_]; }
    [[nodiscard]] bool is(std::string_view sign) const {
        return next().kind == Token::Kind::sign && next().text == sign;
    }
    [[nodiscard]] bool is_word(std::string_view word) const {
        return next().kind == Token::Kind::name && next().text == word;
    }
    const Token& take() { return tokens_[at_++]; }

    [[nodiscard]] std::string named(const Token& token) const {
        if (token.kind == Token::Kind::end) return "the end";
        return "\"" + std::string(text_.substr(token.place.offset, token.place.length)) + "\"";
    }
    [[noreturn]] void fail(const Token& token, std::string what, std::string to_do) const {
        throw Fault{diagnostic(text_, token.place, std::move(what), std::move(to_do))};
    }
    void expect(std::string_view sign, const char* to_do) {
        if (!is(sign)) fail(next(), "expected \"" + std::string(sign) + "\" and not " + named(next()), to_do);
        take();
    }

    // Nodes

    Node make(Node::Kind kind, Place place, std::string text = "", double number = 0) {
        if (++nodes_ > kNodesMax) {
            throw Fault{
                diagnostic(text_, place, "the expression has more than 1000 parts", "make several rules of it")};
        }
        return {kind, place, std::move(text), number, {}, {}};
    }
    Node binary(Node left, const Token& sign, std::string name, Node right) {
        const auto from = left.place.offset;
        Node node = make(Node::Kind::binary, {from, right.place.offset + right.place.length - from}, std::move(name));
        node.name = sign.place;
        node.operands.push_back(std::move(left));
        node.operands.push_back(std::move(right));
        return node;
    }
    Node unary(const Token& sign, std::string name, Node operand) {
        const auto from = sign.place.offset;
        Node node =
            make(Node::Kind::unary, {from, operand.place.offset + operand.place.length - from}, std::move(name));
        node.name = sign.place;
        node.operands.push_back(std::move(operand));
        return node;
    }

    // The grammar, from the outside to the inside

    Node disjunction() {
        const Deeper deeper(*this);
        Node left = conjunction();
        while (is_word("or") || is("||")) {
            const auto sign = take();
            left = binary(std::move(left), sign, "or", conjunction());
        }
        return left;
    }

    Node conjunction() {
        Node left = negation();
        while (is_word("and") || is("&&")) {
            const auto sign = take();
            left = binary(std::move(left), sign, "and", negation());
        }
        return left;
    }

    Node negation() {
        if (!is_word("not") && !is("!")) return comparison();
        const Deeper deeper(*this);
        const auto sign = take();
        return unary(sign, "not", negation());
    }

    [[nodiscard]] bool is_comparison() const {
        for (const char* sign : {"==", "!=", "<", "<=", ">", ">=", "=~", "!~"}) {
            if (is(sign)) return true;
        }
        return false;
    }

    Node comparison() {
        Node left = sum();
        if (!is_comparison()) return left;
        const auto sign = take();
        left = binary(std::move(left), sign, sign.text, sum());
        if (is_comparison()) {
            fail(next(), "comparisons don't chain", "write a < b and b < c");
        }
        return left;
    }

    Node sum() {
        Node left = product();
        while (is("+") || is("-")) {
            const auto sign = take();
            left = binary(std::move(left), sign, sign.text, product());
        }
        return left;
    }

    Node product() {
        Node left = signed_value();
        while (is("*") || is("/")) {
            const auto sign = take();
            left = binary(std::move(left), sign, sign.text, signed_value());
        }
        return left;
    }

    Node signed_value() {
        if (!is("-")) return primary();
        const Deeper deeper(*this);
        const auto sign = take();
        return unary(sign, "-", signed_value());
    }

    Node primary() {
        const auto token = next();
        switch (token.kind) {
            case Token::Kind::number:
                return make(Node::Kind::number, take().place, "", token.number);
            case Token::Kind::duration:
                return make(Node::Kind::duration, take().place, "", token.number);
            case Token::Kind::text:
                return make(Node::Kind::text, take().place, token.text);
            case Token::Kind::quoted_name:
                return field();
            case Token::Kind::name:
                return name();
            case Token::Kind::sign:
                if (is("(")) return parenthesis();
                break;
            case Token::Kind::end:
                break;
        }
        fail(token, "expected a value and not " + named(token), "a number, a field, a function or \"(\"");
    }

    Node parenthesis() {
        const auto from = take().place.offset;
        Node node = disjunction();
        expect(")", "close what was opened");
        node.place = {from, end_of_last() - from};
        return node;
    }

    Node name() {
        const auto& token = next();
        if (token.text == "true" || token.text == "false") {
            const double value = token.text == "true" ? 1 : 0;
            return make(Node::Kind::boolean, take().place, "", value);
        }
        if (token.text == "and" || token.text == "or" || token.text == "not") {
            fail(token, "expected a value before \"" + token.text + "\"",
                 "a field of this name is written in `backquotes`");
        }
        const auto& after = tokens_[at_ + 1];  // the end, at least
        return after.kind == Token::Kind::sign && after.text == "(" ? call() : field();
    }

    Node call() {
        const auto& token = take();
        Node node = make(Node::Kind::call, token.place, token.text);
        node.name = token.place;
        take();
        while (!is(")")) {
            if (!node.operands.empty()) expect(",", "arguments are separated by commas");
            node.operands.push_back(argument());
        }
        take();
        node.place.length = end_of_last() - node.place.offset;
        return node;
    }

    Node argument() {
        const auto& token = next();
        if (token.kind != Token::Kind::name || tokens_[at_ + 1].kind != Token::Kind::sign ||
            tokens_[at_ + 1].text != "=") {
            return disjunction();
        }
        const auto named = take();
        take();
        Node node = disjunction();
        node.argument = named.text;
        node.argument_place = named.place;
        return node;
    }

    Node field() {
        Node node = make(Node::Kind::field, next().place);
        add_step(node, take().text);
        for (;;) {
            if (is(".")) {
                take();
                if (next().kind != Token::Kind::name && next().kind != Token::Kind::quoted_name) {
                    fail(next(), "expected a name after the point and not " + named(next()),
                         "other names are written in `backquotes`, places in arrays as [0]");
                }
                add_step(node, take().text);
            } else if (is("[")) {
                take();
                const auto& index = next();
                if (index.kind != Token::Kind::number || index.number < 0 || index.number > 1e6 ||
                    index.number != std::floor(index.number)) {
                    fail(index, "expected the place in an array and not " + named(index), "a whole number from 0 on");
                }
                add_step(node, std::to_string(static_cast<long>(take().number)));
                expect("]", "close what was opened");
            } else {
                break;
            }
        }
        node.place.length = end_of_last() - node.place.offset;
        return node;
    }

    static void add_step(Node& node, std::string_view step) {  // as RFC 6901 escapes it
        node.text += '/';
        for (const char c : step) {
            if (c == '~') {
                node.text += "~0";
            } else if (c == '/') {
                node.text += "~1";
            } else {
                node.text += c;
            }
        }
    }

    [[nodiscard]] std::size_t end_of_last() const {
        const auto& place = tokens_[at_ - 1].place;
        return place.offset + place.length;
    }

    /// Counts how deep the grammar has called itself.
    class Deeper {
     public:
        explicit Deeper(Parser& parser) : parser_(parser) {
            if (++parser_.depth_ > kNestingMax) {
                parser_.fail(parser_.next(), "nested more than 64 deep", "make several rules of it");
            }
        }
        ~Deeper() { --parser_.depth_; }
        Deeper(const Deeper&) = delete;
        Deeper& operator=(const Deeper&) = delete;
        Deeper(Deeper&&) = delete;
        Deeper& operator=(Deeper&&) = delete;

     private:
        Parser& parser_;
    };

    std::string_view text_;
    std::vector<Token> tokens_;
    std::size_t at_ = 0;
    std::size_t depth_ = 0;
    std::size_t nodes_ = 0;
};

}  // namespace

std::variant<Node, Diagnostic> parse(std::string_view text) {
    auto tokens = tokenize(text);
    if (auto* fault = std::get_if<Diagnostic>(&tokens)) return std::move(*fault);
    try {
        return Parser(text, std::move(std::get<std::vector<Token>>(tokens))).run();
    } catch (Fault& fault) {
        return std::move(fault.diagnostic);
    }
}

}  // namespace sluice::models::rules
