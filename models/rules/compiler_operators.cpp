#include "models/rules/compiler_class.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace sluice::models::rules {

Compiler::Value Compiler::unary(const Node& node) {
    const bool negation = node.text == "not";
    const auto operand = compile(node.operands[0], negation ? Type::boolean : Type::number);
    if (operand.wrong) return operand;
    const Type type = negation ? Type::boolean : Type::number;
    if (operand.type.type != type) {
        return wrong(node.operands[0].place,
                     in_quotes(node.text) + " takes " + describe({type, 0}) + " and not " + describe(operand.type),
                     negation ? "compare it with something first" : "");
    }
    return emit_folded({negation ? Opcode::logic_not : Opcode::negate, operand.step}, operand.type, {&operand},
                       node.place);
}

std::optional<Type> Compiler::own_type(const Node& node) {
    switch (node.kind) {
        case Node::Kind::field:
            return std::nullopt;
        case Node::Kind::number:
        case Node::Kind::duration:
            return Type::number;
        case Node::Kind::text:
            return Type::text;
        case Node::Kind::boolean:
            return Type::boolean;
        case Node::Kind::unary:
            return node.text == "-" ? Type::number : Type::boolean;
        case Node::Kind::binary: {
            const bool sum = node.text == "+" || node.text == "-" || node.text == "*" || node.text == "/";
            return sum ? Type::number : Type::boolean;
        }
        case Node::Kind::call:
            break;
    }
    const auto* function = find_function(node.text);
    if (function == nullptr) return std::nullopt;
    switch (function->result) {
        case FunctionSpec::Result::boolean:
            return Type::boolean;
        case FunctionSpec::Result::text:
            return Type::text;
        case FunctionSpec::Result::branch:
            break;
        default:
            return Type::number;
    }
    for (std::size_t i = 0; i < node.operands.size() && i < function->parameters.size(); ++i) {
        if (function->parameters[i].kind != Kind::branch) continue;
        if (const auto type = own_type(node.operands[i])) return type;
    }
    return std::nullopt;
}

Compiler::Value Compiler::binary(const Node& node) {
    const auto& sign = node.text;
    const auto& l = node.operands[0];
    const auto& r = node.operands[1];
    if (sign == "and" || sign == "or") return logic(node);
    if (sign == "=~" || sign == "!~") return glob(node);
    Type type = Type::number;
    if (sign == "==" || sign == "!=") {
        const auto left_type = own_type(l);
        type = left_type ? *left_type : own_type(r).value_or(Type::number);
    }
    const auto left = compile(l, type);
    const auto right = compile(r, type);
    if (left.wrong || right.wrong) return {0, {}, true, false};
    if (sign == "+" || sign == "-") return sum(node, left, right);
    if (sign == "*" || sign == "/") return product(node, left, right);
    return comparison(node, left, right);
}

Compiler::Value Compiler::logic(const Node& node) {
    bool fine = true;
    std::array<Value, 2> sides;
    for (std::size_t i = 0; i < 2; ++i) {
        sides[i] = compile(node.operands[i], Type::boolean);
        if (!sides[i].wrong && sides[i].type.type != Type::boolean) {
            sides[i] = wrong(node.operands[i].place,
                             in_quotes(node.text) + " takes true or false and not " + describe(sides[i].type),
                             "compare it with something, such as ... > 80");
        }
        fine = fine && !sides[i].wrong;
    }
    if (!fine) return {0, {}, true, false};
    return {emit({node.text == "and" ? Opcode::logic_and : Opcode::logic_or, sides[0].step, sides[1].step}),
            {Type::boolean, 0},
            false,
            false};
}

Compiler::Value Compiler::glob(const Node& node) {
    const auto left = compile(node.operands[0], Type::text);
    const auto& pattern = node.operands[1];
    if (left.wrong) return left;
    if (left.type.type != Type::text) {
        return wrong(node.operands[0].place, in_quotes(node.text) + " takes a text and not " + describe(left.type), "");
    }
    if (pattern.kind != Node::Kind::text) {
        return wrong(pattern.place, "a pattern must be written out", "such as \"pump-*\"");
    }
    const auto& t = pattern.text;
    if (t.find(".*") != std::string::npos || t.find_first_of("|()[]^$\\+") != std::string::npos) {
        return wrong(pattern.place, "this looks like a regular expression, and a pattern has only * and ?",
                     "\"pump-*\"; or contains(), starts_with() and ends_with(), which take all signs as they are");
    }
    return {emit({node.text == "=~" ? Opcode::glob : Opcode::not_glob, left.step,
                  emit({Opcode::text_literal, text_index(t)})}),
            {Type::boolean, 0},
            false,
            false};
}

bool Compiler::both_numbers(const Node& node, const Value& left, const Value& right) {
    for (std::size_t i = 0; i < 2; ++i) {
        const auto& side = i == 0 ? left : right;
        if (side.type.type == Type::number) continue;
        std::string to_do =
            node.kind == Node::Kind::binary && side.type.type == Type::text ? "texts have ==, != and =~" : "";
        error(node.operands[i].place, in_quotes(node.text) + " takes a number and not " + describe(side.type),
              std::move(to_do));
        return false;
    }
    return true;
}

bool Compiler::same_power(const Value& left, const Value& right) {
    return left.type.seconds == right.type.seconds || left.zero || right.zero;
}

int Compiler::power(const Value& left, const Value& right) {
    return left.zero ? right.type.seconds : left.type.seconds;
}

std::string Compiler::power_hint(ValueType left, ValueType right) {
    const auto [low, high] = std::minmax(left.seconds, right.seconds);
    if (low == -1 && high == 0) return "say per which time: 0.5/1h";
    if (low == 0 && high == 1) return "give the number a unit, as in 5m, or make it a time with * 1s";
    return "";
}

Compiler::Value Compiler::sum(const Node& node, const Value& left, const Value& right) {
    if (!both_numbers(node, left, right)) return {0, {}, true, false};
    if (!same_power(left, right)) {
        return wrong(node.place, "\"" + node.text + "\" of " + describe(left.type) + " and " + describe(right.type),
                     power_hint(left.type, right.type));
    }
    const auto code = node.text == "+" ? Opcode::add : Opcode::subtract;
    return emit_folded({code, left.step, right.step}, {Type::number, power(left, right)}, {&left, &right}, node.place);
}

Compiler::Value Compiler::product(const Node& node, const Value& left, const Value& right) {
    if (!both_numbers(node, left, right)) return {0, {}, true, false};
    const bool times = node.text == "*";
    const int seconds = left.type.seconds + (times ? right.type.seconds : -right.type.seconds);
    if (std::abs(seconds) > kPowerMax) return wrong(node.place, "the unit of this is s^" + std::to_string(seconds), "");
    return emit_folded({times ? Opcode::multiply : Opcode::divide, left.step, right.step}, {Type::number, seconds},
                       {&left, &right}, node.place);
}

Compiler::Value Compiler::comparison(const Node& node, const Value& left, const Value& right) {
    const auto& sign = node.text;
    const ValueType boolean{Type::boolean, 0};
    const bool equality = sign == "==" || sign == "!=";
    if (equality && left.type.type == right.type.type && left.type.type == Type::text) {
        const auto code = sign == "==" ? Opcode::text_equal : Opcode::text_not_equal;
        return {emit({code, left.step, right.step}), boolean, false, false};
    }
    const bool booleans = equality && left.type.type == Type::boolean && right.type.type == Type::boolean;
    if (equality && left.type.type != right.type.type) {
        return wrong(node.place, describe(left.type) + " is never " + describe(right.type), "compare like with like");
    }
    if (!booleans && !both_numbers(node, left, right)) return {0, {}, true, false};
    if (!same_power(left, right)) {
        return wrong(node.place, "this compares " + describe(left.type) + " with " + describe(right.type),
                     power_hint(left.type, right.type));
    }
    static const std::map<std::string_view, Opcode> codes{{"<", Opcode::less},    {"<=", Opcode::less_equal},
                                                          {">", Opcode::greater}, {">=", Opcode::greater_equal},
                                                          {"==", Opcode::equal},  {"!=", Opcode::not_equal}};
    return {emit({codes.at(sign), left.step, right.step}), boolean, false, false};
}

}  // namespace sluice::models::rules
