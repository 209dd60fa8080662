#include "models/rules/compiler.hpp"

#include "models/rules/evaluator.hpp"
#include "models/rules/functions.hpp"
#include "models/rules/parser.hpp"
#include "models/windows/windows.hpp"

#include <algorithm>
#include <cmath>
#include <map>

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

/// Walks the tree once, from the leaves up. A part that is wrong is reported and stands for `anything`, so that the
/// rest is checked too without following errors.
class Compiler {
 public:
    Compiler(std::string_view text, FieldTable& fields) : text_(text), fields_(fields) { program_.text_ = text; }

    std::variant<Program, Diagnostics> run(const Node& root, std::optional<Type> wanted) {
        const auto value = compile(root, wanted.value_or(Type::number));
        if (!value.wrong && wanted && value.type.type != *wanted) {
            error(root.place, "the expression is " + describe(value.type) + " and not " + describe({*wanted, 0}),
                  *wanted == Type::boolean ? "compare it with something, such as ... > 80" : "");
        } else if (!value.wrong && (value.type.type == Type::text || value.type.type == Type::numbers)) {
            error(root.place, "the expression is " + describe(value.type), "it must be a number, or true or false");
        }
        if (program_.state_bytes_ > kStateBytesMax) {
            error(root.place,
                  "the expression needs " + std::to_string(program_.state_bytes_) + " bytes for each device",
                  "at most " + std::to_string(kStateBytesMax) + "; make several rules of it");
        }
        if (!faults_.empty()) return std::move(faults_);
        program_.root_ = value.step;
        program_.type_ = value.type;
        if (value.type.type == Type::boolean) observe(root);
        return std::move(program_);
    }

 private:
    using Kind = Parameter::Kind;
    using Step = Program::Step;

    struct Value {
        std::uint32_t step = 0;
        ValueType type;
        bool wrong = false;  // reported; fits everywhere
        bool zero = false;   // the literal 0, which is a time and a change per time too
    };

    // Diagnostics

    void error(Place place, std::string what, std::string to_do) {
        faults_.push_back(diagnostic(text_, place, std::move(what), std::move(to_do)));
    }
    Value wrong(Place place, std::string what, std::string to_do) {
        error(place, std::move(what), std::move(to_do));
        return {0, {}, true, false};
    }
    /// The source of a node, with blanks and line ends made single blanks.
    [[nodiscard]] std::string source(Place place) const {
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
    static std::string in_quotes(std::string_view text) { return "\"" + std::string(text) + "\""; }

    // Steps

    std::uint32_t emit(const Step& step) {  // equal steps are one: avg(x, 5m) that is written twice has one window
        const auto [at, added] = known_.try_emplace(std::tuple(step.code, step.a, step.b, step.c, step.number),
                                                    static_cast<std::uint32_t>(program_.steps_.size()));
        if (added) program_.steps_.push_back(step);
        return at->second;
    }
    std::uint32_t literal(double value) { return emit({Opcode::literal, 0, 0, 0, value}); }
    [[nodiscard]] std::optional<double> constant(const Value& value) const {
        const auto& step = program_.steps_[value.step];
        if (value.wrong || step.code != Opcode::literal) return std::nullopt;
        return step.number;
    }

    /// Emits a step, or its value where its operands are literals.
    Value emit_folded(Step step, ValueType type, std::initializer_list<const Value*> operands, Place place) {
        const bool known = std::all_of(operands.begin(), operands.end(), [&](const Value* v) { return constant(*v); });
        if (!known || type.type == Type::text) return {emit(step), type, false, false};
        auto steps = program_.steps_;
        steps.push_back(step);
        const auto last = static_cast<std::uint32_t>(steps.size() - 1);
        const double value = Evaluator(steps, program_.texts_, {}, {}).number(last);
        if (!std::isfinite(value)) return wrong(place, "this has no value", "it divides by 0 or is out of range");
        return {literal(value), type, false, value == 0};
    }

    // The nodes

    Value compile(const Node& node, Type wanted) {
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

    std::uint32_t text_index(const std::string& text) {
        const auto at = std::find(program_.texts_.begin(), program_.texts_.end(), text);
        if (at == program_.texts_.end()) program_.texts_.push_back(text);
        return static_cast<std::uint32_t>(std::find(program_.texts_.begin(), program_.texts_.end(), text) -
                                          program_.texts_.begin());
    }

    std::uint32_t slot(const Node& node) { return static_cast<std::uint32_t>(fields_.slot(node.text)); }

    Value field(const Node& node, Type wanted) {
        const auto [at, first] = used_.try_emplace(node.text, wanted, node.place);
        const auto& [type, place] = at->second;
        if (!first && type != wanted) {
            const auto before = diagnostic(text_, place, "", "");
            return wrong(node.place, in_quotes(source(node.place)) + " is " + describe({wanted, 0}) + " here",
                         "it is " + describe({type, 0}) + " in " + std::to_string(before.line) + ":" +
                             std::to_string(before.column));
        }
        constexpr std::array kCodes{Opcode::field_number, Opcode::field_boolean, Opcode::field_text,
                                    Opcode::field_numbers};
        return {emit({kCodes.at(static_cast<std::size_t>(wanted)), slot(node)}), {wanted, 0}, false, false};
    }

    Value unary(const Node& node) {
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

    /// The type that a node has whatever is around it; nullopt for a field.
    static std::optional<Type> own_type(const Node& node) {
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

    Value binary(const Node& node) {
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

    Value logic(const Node& node) {
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

    Value glob(const Node& node) {
        const auto left = compile(node.operands[0], Type::text);
        const auto& pattern = node.operands[1];
        if (left.wrong) return left;
        if (left.type.type != Type::text) {
            return wrong(node.operands[0].place, in_quotes(node.text) + " takes a text and not " + describe(left.type),
                         "");
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

    /// Whether both are numbers; reports it where not.
    bool both_numbers(const Node& node, const Value& left, const Value& right) {
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

    static bool same_power(const Value& left, const Value& right) {
        return left.type.seconds == right.type.seconds || left.zero || right.zero;
    }
    static int power(const Value& left, const Value& right) {
        return left.zero ? right.type.seconds : left.type.seconds;
    }

    /// What to do where `left` and `right` differ in their power of time.
    static std::string power_hint(ValueType left, ValueType right) {
        const auto [low, high] = std::minmax(left.seconds, right.seconds);
        if (low == -1 && high == 0) return "say per which time: 0.5/1h";
        if (low == 0 && high == 1) return "give the number a unit, as in 5m, or make it a time with * 1s";
        return "";
    }

    Value sum(const Node& node, const Value& left, const Value& right) {
        if (!both_numbers(node, left, right)) return {0, {}, true, false};
        if (!same_power(left, right)) {
            return wrong(node.place, "\"" + node.text + "\" of " + describe(left.type) + " and " + describe(right.type),
                         power_hint(left.type, right.type));
        }
        const auto code = node.text == "+" ? Opcode::add : Opcode::subtract;
        return emit_folded({code, left.step, right.step}, {Type::number, power(left, right)}, {&left, &right},
                           node.place);
    }

    Value product(const Node& node, const Value& left, const Value& right) {
        if (!both_numbers(node, left, right)) return {0, {}, true, false};
        const bool times = node.text == "*";
        const int seconds = left.type.seconds + (times ? right.type.seconds : -right.type.seconds);
        if (std::abs(seconds) > kPowerMax)
            return wrong(node.place, "the unit of this is s^" + std::to_string(seconds), "");
        return emit_folded({times ? Opcode::multiply : Opcode::divide, left.step, right.step}, {Type::number, seconds},
                           {&left, &right}, node.place);
    }

    Value comparison(const Node& node, const Value& left, const Value& right) {
        const auto& sign = node.text;
        const ValueType boolean{Type::boolean, 0};
        const bool equality = sign == "==" || sign == "!=";
        if (equality && left.type.type == right.type.type && left.type.type == Type::text) {
            const auto code = sign == "==" ? Opcode::text_equal : Opcode::text_not_equal;
            return {emit({code, left.step, right.step}), boolean, false, false};
        }
        const bool booleans = equality && left.type.type == Type::boolean && right.type.type == Type::boolean;
        if (equality && left.type.type != right.type.type) {
            return wrong(node.place, describe(left.type) + " is never " + describe(right.type),
                         "compare like with like");
        }
        if (!booleans && !both_numbers(node, left, right)) return {0, {}, true, false};
        if (!same_power(left, right)) {
            return wrong(node.place, "this compares " + describe(left.type) + " with " + describe(right.type),
                         power_hint(left.type, right.type));
        }
        static const std::map<std::string_view, Opcode> kCodes{{"<", Opcode::less},    {"<=", Opcode::less_equal},
                                                               {">", Opcode::greater}, {">=", Opcode::greater_equal},
                                                               {"==", Opcode::equal},  {"!=", Opcode::not_equal}};
        return {emit({kCodes.at(sign), left.step, right.step}), boolean, false, false};
    }

    // Calls

    struct Call {
        const FunctionSpec& function;
        const Node& node;
        std::vector<Value> steps;         // of the arguments that are evaluated
        std::vector<Constant> constants;  // of the others
        std::optional<Value> first;       // whose power `same`, `limit` and the result have
        std::optional<Value> branch;
        std::uint32_t samples = Program::kNoStep;
        bool fine = true;
    };

    Value call(const Node& node, Type wanted) {
        const auto* function = find_function(node.text);
        if (function == nullptr) {
            std::vector<std::string> names;
            for (const auto& known : functions()) names.emplace_back(known.name);
            for (const auto& operand : node.operands) compile(operand, own_type(operand).value_or(Type::number));
            return wrong(node.name, "there is no function " + in_quotes(node.text),
                         hint(node.text, names, "docs/rules.md lists them"));
        }
        if (node.operands.size() != function->parameters.size()) {
            return wrong(node.place,
                         in_quotes(node.text) + " takes " + std::to_string(function->parameters.size()) +
                             " arguments and not " + std::to_string(node.operands.size()),
                         signature(*function));
        }
        Call c{*function, node, {}, {}, {}, {}};
        const auto branch_type = own_type(node).value_or(wanted);
        for (std::size_t i = 0; i < node.operands.size(); ++i)
            argument(c, function->parameters[i], node.operands[i], branch_type);
        if (!c.fine) return {0, {}, true, false};
        return function->make != nullptr ? remember(c) : pure(c);
    }

    void bad(Call& c, const Node& node, std::string what, std::string to_do) {
        c.fine = false;
        error(node.place, std::move(what), std::move(to_do));
    }

    void argument(Call& c, const Parameter& parameter, const Node& node, Type branch_type) {
        switch (parameter.kind) {
            case Kind::any_field:
                return any_field(c, node);
            case Kind::limit:
            case Kind::share:
            case Kind::duration:
            case Kind::window:
                return constant_argument(c, parameter, node);
            default:
                return value_argument(c, parameter, node, branch_type);
        }
    }

    void any_field(Call& c, const Node& node) {
        if (node.kind != Node::Kind::field) {
            return bad(c, node, in_quotes(c.node.text) + " takes a field and nothing else", "such as temperature");
        }
        c.steps.push_back(
            {emit({c.function.opcode == Opcode::has ? Opcode::has : Opcode::field_any, slot(node)}), {}, false, false});
    }

    static Type type_of(Kind kind, Type branch_type) {
        switch (kind) {
            case Kind::boolean:
                return Type::boolean;
            case Kind::text:
                return Type::text;
            case Kind::numbers:
                return Type::numbers;
            case Kind::branch:
                return branch_type;
            default:
                return Type::number;
        }
    }

    void value_argument(Call& c, const Parameter& parameter, const Node& node, Type branch_type) {
        const Type type = type_of(parameter.kind, branch_type);
        const auto value = compile(node, type);
        if (value.wrong) {
            c.fine = false;
            return;
        }
        const auto name = "\"" + std::string(parameter.name) + "\" of " + c.node.text + "()";
        if (value.type.type != type) {
            return bad(c, node, name + " must be " + describe({type, 0}) + " and not " + describe(value.type),
                       signature(c.function));
        }
        const auto& like = parameter.kind == Kind::branch ? c.branch : c.first;
        if (parameter.kind == Kind::plain && value.type.seconds != 0) {
            return bad(c, node, name + " must be a number without a time in it", "divide it by 1s");
        }
        if ((parameter.kind == Kind::same || parameter.kind == Kind::branch) && like && !same_power(*like, value)) {
            return bad(c, node,
                       name + " is " + describe(value.type) + ", the argument before it " + describe(like->type),
                       power_hint(like->type, value.type));
        }
        if (parameter.kind == Kind::branch && (!c.branch || c.branch->zero)) c.branch = value;
        if (!c.first) c.first = value;
        if (parameter.kind == Kind::numbers) c.samples = value.step;
        c.steps.push_back(value);
    }

    void constant_argument(Call& c, const Parameter& parameter, const Node& node) {
        const auto value = compile(node, Type::number);
        if (value.wrong) {
            c.fine = false;
            return;
        }
        const auto number = constant(value);
        const auto name = "\"" + std::string(parameter.name) + "\" of " + c.node.text + "()";
        if (!number || value.type.type != Type::number) {
            return bad(c, node, name + " must be a constant",
                       parameter.kind == Kind::limit ? "such as 80" : "such as 5m");
        }
        if (parameter.kind == Kind::limit && c.first && !same_power(*c.first, value)) {
            return bad(c, node, name + " is " + describe(value.type) + ", x " + describe(c.first->type),
                       power_hint(c.first->type, value.type));
        }
        if (parameter.kind == Kind::share && (value.type.seconds != 0 || *number < 0 || *number > 1)) {
            return bad(c, node, name + " must be from 0 to 1", "such as 0.99 or 99%");
        }
        const bool is_count = parameter.kind == Kind::window && value.type.seconds == 0;
        if (is_count &&
            (*number < 1 || *number > static_cast<double>(kCountWindowMax) || *number != std::floor(*number))) {
            return bad(c, node, "a window of " + source(node.place) + " values",
                       "a whole number from 1 to " + std::to_string(kCountWindowMax) + ", or a time such as 5m");
        }
        if (!is_count && (parameter.kind == Kind::window || parameter.kind == Kind::duration)) {
            if (value.type.seconds != 1) return bad(c, node, name + " must be a time", "such as 5m");
            const auto length = std::chrono::duration<double>(*number);
            if (length < kTimeWindowMin || length > kTimeWindowMax) {
                return bad(c, node, source(node.place) + " is no length for a window", "from 100ms to 366d");
            }
            program_.window_ = std::max(program_.window_, std::chrono::round<Duration>(length));
        }
        c.constants.push_back({*number, is_count});
    }

    [[nodiscard]] ValueType result(const Call& c) const {
        switch (c.function.result) {
            case FunctionSpec::Result::number:
                return {Type::number, 0};
            case FunctionSpec::Result::seconds:
                return {Type::number, 1};
            case FunctionSpec::Result::same:
                return {Type::number, c.first->type.seconds};
            case FunctionSpec::Result::per_second:
                return {Type::number, c.first->type.seconds - 1};
            case FunctionSpec::Result::boolean:
                return {Type::boolean, 0};
            case FunctionSpec::Result::text:
                return {Type::text, 0};
            case FunctionSpec::Result::branch:
                return c.branch->type;
        }
        return {};
    }

    Value pure(const Call& c) {
        if (c.function.opcode == Opcode::has) return {c.steps[0].step, {Type::boolean, 0}, false, false};
        Step step{c.function.opcode};
        if (!c.steps.empty()) step.a = c.steps[0].step;
        if (c.steps.size() > 1) step.b = c.steps[1].step;
        if (c.steps.size() > 2) step.c = c.steps[2].step;
        switch (c.steps.size()) {
            case 1:
                return emit_folded(step, result(c), {&c.steps[0]}, c.node.place);
            case 2:
                return emit_folded(step, result(c), {&c.steps[0], &c.steps[1]}, c.node.place);
            case 3:
                return emit_folded(step, result(c), {&c.steps[0], &c.steps[1], &c.steps[2]}, c.node.place);
            default:
                return {emit(step), result(c), false, false};
        }
    }

    Value remember(const Call& c) {
        std::string key(c.function.name);
        for (const auto& value : c.steps) key += ' ' + std::to_string(value.step);
        for (const auto& value : c.constants) key += (value.is_count ? " #" : " =") + std::to_string(value.value);
        const auto [at, added] = remembered_.try_emplace(key, static_cast<std::uint32_t>(program_.stateful_.size()));
        if (added) {
            Program::Stateful stateful{c.function.make(c.constants), {}, c.samples, program_.state_bytes_};
            for (const auto& value : c.steps) {
                if (value.step != c.samples) stateful.arguments.push_back(value.step);
            }
            mix(source(c.node.place));
            mix(std::to_string(stateful.function->state_bytes()));
            program_.state_bytes_ += stateful.function->state_bytes();
            if (stateful.function->moved_by_time()) program_.timed_.push_back(at->second);
            program_.stateful_.push_back(std::move(stateful));
        }
        return {emit({Opcode::state, at->second}), result(c), false, false};
    }

    // What an alert tells

    void observe(const Node& node) {
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

    /// FNV-1a over the calls of stateful functions: a state outlives a changed threshold, and not a changed window.
    void mix(std::string_view bytes) {
        for (const char c : bytes)
            program_.fingerprint_ = (program_.fingerprint_ ^ static_cast<unsigned char>(c)) * kFnvPrime;
        program_.fingerprint_ = (program_.fingerprint_ ^ 0xFFU) * kFnvPrime;
    }
    static constexpr std::uint64_t kFnvPrime = 1099511628211U;

    std::string_view text_;
    FieldTable& fields_;
    Program program_;
    Diagnostics faults_;
    std::map<std::tuple<Opcode, std::uint32_t, std::uint32_t, std::uint32_t, double>, std::uint32_t> known_;
    std::map<std::string, std::uint32_t> remembered_;
    std::map<std::string, std::pair<Type, Place>> used_;
};

std::variant<Program, Diagnostics> compile(std::string_view text, FieldTable& fields, std::optional<Type> wanted) {
    auto tree = parse(text);
    if (auto* fault = std::get_if<Diagnostic>(&tree)) return Diagnostics{std::move(*fault)};
    return Compiler(text, fields).run(std::get<Node>(tree), wanted);
}

}  // namespace sluice::models::rules
