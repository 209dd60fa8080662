#include "models/rules/compiler_class.hpp"
#include "models/rules/parser.hpp"
#include "models/windows/windows.hpp"

#include <algorithm>
#include <cmath>

namespace sluice::models::rules {

namespace {

/// As RFC 6901 escapes a name.
std::string pointer_to(std::string_view name) {
    std::string pointer = "/";
    for (const char c : name) pointer += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
    return pointer;
}

}  // namespace

Compiler::Value Compiler::call(const Node& node, Type wanted) {
    const auto* function = find_function(node.text);
    if (function == nullptr) {
        std::vector<std::string> names;
        for (const auto& known : functions()) names.emplace_back(known.name);
        for (const auto& operand : node.operands) compile(operand, own_type(operand).value_or(Type::number));
        return wrong(node.name, "there is no function " + in_quotes(node.text),
                     hint(node.text, names, "docs/rules.md lists them"));
    }
    Call c{*function, node, {}, {}, {}, {}};
    const auto given = arguments(c);
    if (!c.fine) return {0, {}, true, false};
    const auto branch_type = own_type(node).value_or(wanted);
    for (std::size_t i = 0; i < given.size(); ++i) {
        const auto& parameter = function->parameters[i];
        if (given[i] != nullptr)
            argument(c, parameter, *given[i], branch_type);
        else
            c.constants.push_back({*parameter.fallback, false});
    }
    if (!c.fine) return {0, {}, true, false};
    return function->remembers() ? remember(c) : pure(c);
}

/// The argument of each parameter; nullptr where it has its fallback.
std::vector<const Node*> Compiler::arguments(Call& c) {
    const auto& parameters = c.function.parameters;
    std::vector<const Node*> given(parameters.size());
    const auto least = std::count_if(parameters.begin(), parameters.end(), [](const auto& p) { return !p.fallback; });
    const auto wrong_count = [&] {
        const auto most = std::to_string(parameters.size());
        const auto range = least == std::ssize(parameters) ? most : std::to_string(least) + " to " + most;
        bad(c, c.node,
            in_quotes(c.node.text) + " takes " + range + " arguments and not " + std::to_string(c.node.operands.size()),
            signature(c.function));
        return given;
    };
    std::size_t next = 0;
    for (const auto& node : c.node.operands) {
        if (node.argument.empty()) {
            if (next >= given.size() || given[next] != nullptr) return wrong_count();
            given[next++] = &node;
            continue;
        }
        const auto named = std::find_if(parameters.begin(), parameters.end(),
                                        [&](const auto& parameter) { return parameter.name == node.argument; });
        std::vector<std::string> names;
        for (const auto& parameter : parameters) names.emplace_back(parameter.name);
        if (named == parameters.end()) {
            error(node.argument_place, in_quotes(c.node.text) + " has no argument " + in_quotes(node.argument),
                  hint(node.argument, names, signature(c.function)));
            c.fine = false;
            return given;
        }
        auto& place = given[static_cast<std::size_t>(named - parameters.begin())];
        if (place != nullptr) return wrong_count();
        place = &node;
    }
    for (std::size_t i = 0; i < given.size(); ++i) {
        if (given[i] == nullptr && !parameters[i].fallback) return wrong_count();
    }
    return given;
}

void Compiler::word_argument(Call& c, const Parameter& parameter, const Node& node) {
    const auto known = std::find(parameter.words.begin(), parameter.words.end(), node.text);
    if (node.kind == Node::Kind::text && known != parameter.words.end()) {
        return c.constants.push_back({static_cast<double>(known - parameter.words.begin()), false});
    }
    std::vector<std::string> names;
    std::string all;
    for (const auto word : parameter.words) {
        names.emplace_back(word);
        all += (all.empty() ? "'" : ", '") + std::string(word) + "'";
    }
    bad(c, node, "\"" + std::string(parameter.name) + "\" of " + c.node.text + "() is none of its words",
        node.kind == Node::Kind::text ? hint(node.text, names, all) : all);
}

/// Its columns are the arguments.
void Compiler::model_argument(Call& c, const Node& node) {
    const auto known = node.kind == Node::Kind::text ? models_.find(node.text) : models_.end();
    if (known == models_.end()) {
        std::vector<std::string> names;
        for (const auto& [name, model] : models_) names.push_back(name);
        return bad(c, node, "\"model\" of " + c.node.text + "() is no model that [rules] models names",
                   hint(node.text, names, "models = { pump = \"/etc/sluice/pump.life\" } in [rules]"));
    }
    c.model = &known->second;
    const auto& columns = c.model->model->columns();
    if (columns.size() > Program::kArgumentsMax) {
        return bad(c, node, "the model has " + std::to_string(columns.size()) + " columns",
                   "at most " + std::to_string(Program::kArgumentsMax) + " in a rule");
    }
    for (const auto& column : columns) {
        // A column may have a name that is no path, such as "sensor 2".
        const auto path = parse(column);
        const auto* read = std::get_if<Node>(&path);
        Node of_column;
        of_column.kind = Node::Kind::field;
        of_column.text = read != nullptr && read->kind == Node::Kind::field ? read->text : pointer_to(column);
        of_column.place = node.place;
        const auto value = field(of_column, Type::number);
        c.fine = c.fine && !value.wrong;
        c.steps.push_back(value);
    }
}

void Compiler::bad(Call& c, const Node& node, std::string what, std::string to_do) {
    c.fine = false;
    error(node.place, std::move(what), std::move(to_do));
}

void Compiler::argument(Call& c, const Parameter& parameter, const Node& node, Type branch_type) {
    switch (parameter.kind) {
        case Kind::any_field:
            return any_field(c, node);
        case Kind::limit:
        case Kind::share:
        case Kind::duration:
        case Kind::window:
        case Kind::constant:
            return constant_argument(c, parameter, node);
        case Kind::word:
            return word_argument(c, parameter, node);
        case Kind::model:
            return model_argument(c, node);
        default:
            return value_argument(c, parameter, node, branch_type);
    }
}

void Compiler::any_field(Call& c, const Node& node) {
    if (node.kind != Node::Kind::field) {
        return bad(c, node, in_quotes(c.node.text) + " takes a field and nothing else", "such as temperature");
    }
    c.steps.push_back(
        {emit({c.function.opcode == Opcode::has ? Opcode::has : Opcode::field_any, slot(node)}), {}, false, false});
}

Type Compiler::type_of(Kind kind, Type branch_type) {
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

void Compiler::value_argument(Call& c, const Parameter& parameter, const Node& node, Type branch_type) {
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
        return bad(c, node, name + " is " + describe(value.type) + ", the argument before it " + describe(like->type),
                   power_hint(like->type, value.type));
    }
    if (parameter.kind == Kind::branch && (!c.branch || c.branch->zero)) c.branch = value;
    if (!c.first) c.first = value;
    if (parameter.kind == Kind::numbers) c.samples = value.step;
    c.steps.push_back(value);
}

void Compiler::constant_argument(Call& c, const Parameter& parameter, const Node& node) {
    const auto value = compile(node, Type::number);
    if (value.wrong) {
        c.fine = false;
        return;
    }
    const auto number = constant(value);
    const auto name = "\"" + std::string(parameter.name) + "\" of " + c.node.text + "()";
    if (!number || value.type.type != Type::number) {
        return bad(c, node, name + " must be a constant",
                   parameter.kind == Kind::limit || parameter.kind == Kind::constant ? "such as 80" : "such as 5m");
    }
    if (parameter.kind == Kind::limit && c.first && !same_power(*c.first, value)) {
        return bad(c, node, name + " is " + describe(value.type) + ", x " + describe(c.first->type),
                   power_hint(c.first->type, value.type));
    }
    if (parameter.kind == Kind::constant && value.type.seconds != 0) {
        return bad(c, node, name + " must be a number without a time in it", "such as 1000");
    }
    if (parameter.kind == Kind::share && (value.type.seconds != 0 || *number < 0 || *number > 1)) {
        return bad(c, node, name + " must be from 0 to 1", "such as 0.99 or 99%");
    }
    const bool is_count = parameter.kind == Kind::window && value.type.seconds == 0;
    if (is_count && (*number < 1 || *number > static_cast<double>(kCountWindowMax) || *number != std::floor(*number))) {
        return bad(c, node, "a window of " + source(node.place) + " values",
                   "a whole number from 1 to " + std::to_string(kCountWindowMax) + ", or a time such as 5m");
    }
    if (!is_count && (parameter.kind == Kind::window || parameter.kind == Kind::duration)) {
        if (value.type.seconds != 1) return bad(c, node, name + " must be a time", "such as 5m");
        const auto length = std::chrono::duration<double>(*number);
        if (length < kTimeWindowMin || length > kTimeWindowMax) {
            return bad(c, node, source(node.place) + " is no length for a window", "from 100ms to 366d");
        }
        const auto rounded = std::chrono::round<Duration>(length);
        program_.window_ = std::max(program_.window_, rounded);
        c.anew = parameter.name == "window" && rounded == every_;
    }
    c.constants.push_back({*number, is_count});
}

ValueType Compiler::result(const Call& c) const {
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

Compiler::Value Compiler::pure(const Call& c) {
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

Compiler::Value Compiler::remember(const Call& c) {
    std::string key(c.function.name);
    for (const auto& value : c.steps) key += ' ' + std::to_string(value.step);
    if (c.model != nullptr) key += ' ' + std::to_string(c.model->fingerprint);
    for (const auto& value : c.constants) key += (value.is_count ? " #" : " =") + std::to_string(value.value);
    const auto [at, added] = remembered_.try_emplace(key, static_cast<std::uint32_t>(program_.stateful_.size()));
    if (added) {
        auto function =
            c.model != nullptr ? c.function.make_of_model(c.model->model, c.constants) : c.function.make(c.constants);
        Program::Stateful stateful{std::move(function), {}, c.samples, program_.state_bytes_, c.anew};
        for (const auto& value : c.steps) {
            if (value.step != c.samples) stateful.arguments.push_back(value.step);
        }
        mix(source(c.node.place));
        mix(std::to_string(stateful.function->state_bytes()));
        if (c.anew) mix("anew");
        if (c.model != nullptr) mix(std::to_string(c.model->fingerprint));
        program_.state_bytes_ += stateful.function->state_bytes();
        if (stateful.function->moved_by_time()) program_.timed_.push_back(at->second);
        program_.stateful_.push_back(std::move(stateful));
    }
    return {emit({Opcode::state, at->second}), result(c), false, false};
}

}  // namespace sluice::models::rules
