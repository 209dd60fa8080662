#include "models/rules/compiler.hpp"

#include "models/rules/compiler_class.hpp"
#include "models/rules/evaluator.hpp"
#include "models/rules/parser.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace sluice::models::rules {

std::string describe(ValueType type) {
    switch (type.type) {
        case Type::boolean:
            return "true or false";
        case Type::text:
            return "a text";
        case Type::numbers:
            return "an array";
        case Type::number:
            break;
    }
    switch (type.seconds) {
        case 0:
            return "a number";
        case 1:
            return "a time";
        case -1:
            return "a change per time";
        default:
            return "a number with the unit s^" + std::to_string(type.seconds);
    }
}

std::variant<Program, Diagnostics> Compiler::run(const Node& root, std::optional<Type> wanted, bool text_too) {
    const auto value = compile(root, wanted.value_or(Type::number));
    if (!value.wrong && wanted && value.type.type != *wanted) {
        error(root.place, "the expression is " + describe(value.type) + " and not " + describe({*wanted, 0}),
              *wanted == Type::boolean ? "compare it with something, such as ... > 80" : "");
    } else if (!value.wrong && ((value.type.type == Type::text && !text_too) || value.type.type == Type::numbers)) {
        error(root.place, "the expression is " + describe(value.type), "it must be a number, or true or false");
    }
    if (program_.state_bytes_ > kStateBytesMax) {
        error(root.place, "the expression needs " + std::to_string(program_.state_bytes_) + " bytes for each device",
              "at most " + std::to_string(kStateBytesMax) + "; make several rules of it");
    }
    if (!faults_.empty()) return std::move(faults_);
    program_.root_ = value.step;
    program_.type_ = value.type;
    if (value.type.type == Type::boolean) observe(root);
    return std::move(program_);
}

void Compiler::error(Place place, std::string what, std::string to_do) {
    faults_.push_back(diagnostic(text_, place, std::move(what), std::move(to_do)));
}

Compiler::Value Compiler::wrong(Place place, std::string what, std::string to_do) {
    error(place, std::move(what), std::move(to_do));
    return {0, {}, true, false};
}

std::string Compiler::source(Place place) const {
    std::string out;
    for (const char c : text_.substr(place.offset, place.length)) {
        const bool blank = c == ' ' || c == '\n' || c == '\t' || c == '\r';
        if (!blank)
            out += c;
        else if (!out.empty() && out.back() != ' ')
            out += ' ';
    }
    return out;
}

std::uint32_t Compiler::emit(
    const Step& step) {  // equal steps are one: avg(x, 5m) that is written twice has one window
    const auto [at, added] = known_.try_emplace(std::tuple(step.code, step.a, step.b, step.c, step.number),
                                                static_cast<std::uint32_t>(program_.steps_.size()));
    if (added) program_.steps_.push_back(step);
    return at->second;
}

std::optional<double> Compiler::constant(const Value& value) const {
    if (value.wrong) return std::nullopt;
    const auto& step = program_.steps_[value.step];
    if (step.code != Opcode::literal) return std::nullopt;
    return step.number;
}

Compiler::Value Compiler::emit_folded(Step step, ValueType type, std::initializer_list<const Value*> operands,
                                      Place place) {
    const bool known = std::all_of(operands.begin(), operands.end(), [&](const Value* v) { return constant(*v); });
    if (!known || type.type == Type::text) return {emit(step), type, false, false};
    auto steps = program_.steps_;
    steps.push_back(step);
    const auto last = static_cast<std::uint32_t>(steps.size() - 1);
    const double value = Evaluator(steps, program_.texts_, {}, {}).number(last);
    if (!std::isfinite(value)) return wrong(place, "this has no value", "it divides by 0 or is out of range");
    return {literal(value), type, false, value == 0};
}

Compiler::Value Compiler::compile(const Node& node, Type wanted) {
    switch (node.kind) {
        case Node::Kind::number:
            return {literal(node.number), {Type::number, 0}, false, node.number == 0};
        case Node::Kind::duration:
            return {literal(node.number), {Type::number, 1}, false, node.number == 0};
        case Node::Kind::boolean:
            return {literal(node.number), {Type::boolean, 0}, false, false};
        case Node::Kind::text:
            return {emit({Opcode::text_literal, text_index(node.text)}), {Type::text, 0}, false, false};
        case Node::Kind::field:
            return field(node, wanted);
        case Node::Kind::call:
            return call(node, wanted);
        case Node::Kind::unary:
            return unary(node);
        case Node::Kind::binary:
            return binary(node);
    }
    return {};
}

std::uint32_t Compiler::text_index(const std::string& text) {
    const auto at = std::find(program_.texts_.begin(), program_.texts_.end(), text);
    if (at == program_.texts_.end()) program_.texts_.push_back(text);
    return static_cast<std::uint32_t>(std::find(program_.texts_.begin(), program_.texts_.end(), text) -
                                      program_.texts_.begin());
}

Compiler::Value Compiler::field(const Node& node, Type wanted) {
    const auto [at, first] = used_.try_emplace(node.text, wanted, node.place);
    const auto& [type, place] = at->second;
    if (!first && type != wanted) {
        const auto before = diagnostic(text_, place, "", "");
        return wrong(node.place, in_quotes(source(node.place)) + " is " + describe({wanted, 0}) + " here",
                     "it is " + describe({type, 0}) + " in " + std::to_string(before.line) + ":" +
                         std::to_string(before.column));
    }
    constexpr std::array kCodes{Opcode::field_number, Opcode::field_boolean, Opcode::field_text, Opcode::field_numbers};
    return {emit({kCodes.at(static_cast<std::size_t>(wanted)), slot(node)}), {wanted, 0}, false, false};
}

void Compiler::observe(const Node& node) {
    const bool logic = node.text == "and" || node.text == "or" || node.text == "not";
    if ((node.kind == Node::Kind::binary || node.kind == Node::Kind::unary) && logic) {
        for (const auto& operand : node.operands) observe(operand);
        return;
    }
    const bool compares = node.kind == Node::Kind::binary && own_type(node) == Type::boolean;
    const auto whole = compile(node, Type::boolean);  // finds the steps that are there
    if (!compares || node.text == "=~" || node.text == "!~" || own_type(node.operands[0]) == Type::text ||
        own_type(node.operands[1]) == Type::text) {
        program_.observed_.push_back({source(node.place), "", whole.step, whole.step});
        return;
    }
    const auto& left = node.operands[0];
    const auto type = own_type(left).value_or(own_type(node.operands[1]).value_or(Type::number));
    const auto from = node.name.offset;
    program_.observed_.push_back({source(left.place), source({from, node.place.offset + node.place.length - from}),
                                  compile(left, type).step, whole.step});
}

void Compiler::mix(std::string_view bytes) {
    for (const char c : bytes)
        program_.fingerprint_ = (program_.fingerprint_ ^ static_cast<unsigned char>(c)) * kFnvPrime;
    program_.fingerprint_ = (program_.fingerprint_ ^ 0xFFU) * kFnvPrime;
}

std::variant<Program, Diagnostics> compile(std::string_view text, FieldTable& fields, std::optional<Type> wanted,
                                           const LifeModels& models) {
    auto tree = parse(text);
    if (auto* fault = std::get_if<Diagnostic>(&tree)) return Diagnostics{std::move(*fault)};
    return Compiler(text, fields, models).run(std::get<Node>(tree), wanted);
}

std::variant<Program, Diagnostics> compile_value(std::string_view text, FieldTable& fields, Duration every,
                                                 const LifeModels& models) {
    auto tree = parse(text);
    if (auto* fault = std::get_if<Diagnostic>(&tree)) return Diagnostics{std::move(*fault)};
    return Compiler(text, fields, models, every).run(std::get<Node>(tree), std::nullopt, true);
}

}  // namespace sluice::models::rules
