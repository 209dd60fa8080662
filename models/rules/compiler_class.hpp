// compiler_class.hpp: the compiler's inside; for its three sources only. compiler.cpp: the tree; compiler_operators.cpp
// and compiler_calls.cpp: what each kind of node checks.
#pragma once

#include "models/rules/ast.hpp"
#include "models/rules/compiler.hpp"
#include "models/rules/functions.hpp"

#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace sluice::models::rules {

/// Walks the tree once, from the leaves up. A part that is wrong is reported and stands for `anything`, so that the
/// rest is checked too without following errors.
class Compiler {
 public:
    /// @param every  the interval of a derivation: windows of this length begin anew with it; 0: none do
    Compiler(std::string_view text, FieldTable& fields, const LifeModels& models, Duration every = Duration(0))
        : text_(text), fields_(fields), models_(models), every_(every) {
        program_.text_ = text;
    }

    std::variant<Program, Diagnostics> run(const Node& root, std::optional<Type> wanted, bool text_too = false);

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

    void error(Place place, std::string what, std::string to_do);
    Value wrong(Place place, std::string what, std::string to_do);
    /// The source of a node, with blanks and line ends made single blanks.
    [[nodiscard]] std::string source(Place place) const;
    static std::string in_quotes(std::string_view text) { return "\"" + std::string(text) + "\""; }

    // Steps

    std::uint32_t emit(const Step& step);
    std::uint32_t literal(double value) { return emit({Opcode::literal, 0, 0, 0, value}); }
    [[nodiscard]] std::optional<double> constant(const Value& value) const;

    /// Emits a step, or its value where its operands are literals.
    Value emit_folded(Step step, ValueType type, std::initializer_list<const Value*> operands, Place place);

    // The nodes

    Value compile(const Node& node, Type wanted);

    std::uint32_t text_index(const std::string& text);
    std::uint32_t slot(const Node& node) { return static_cast<std::uint32_t>(fields_.slot(node.text)); }

    Value field(const Node& node, Type wanted);
    Value unary(const Node& node);

    /// The type that a node has whatever is around it; nullopt for a field.
    static std::optional<Type> own_type(const Node& node);
    Value binary(const Node& node);
    Value logic(const Node& node);
    Value glob(const Node& node);

    /// Whether both are numbers; reports it where not.
    bool both_numbers(const Node& node, const Value& left, const Value& right);
    static bool same_power(const Value& left, const Value& right);
    static int power(const Value& left, const Value& right);

    /// What to do where `left` and `right` differ in their power of time.
    static std::string power_hint(ValueType left, ValueType right);
    Value sum(const Node& node, const Value& left, const Value& right);
    Value product(const Node& node, const Value& left, const Value& right);
    Value comparison(const Node& node, const Value& left, const Value& right);

    // Calls

    struct Call {
        const FunctionSpec& function;
        const Node& node;
        std::vector<Value> steps;         // of the arguments that are evaluated
        std::vector<Constant> constants;  // of the others
        std::optional<Value> first;       // whose power `same`, `limit` and the result have
        std::optional<Value> branch;
        std::uint32_t samples = Program::kNoStep;
        const NamedLifeModel* model = nullptr;
        bool anew = false;
        bool fine = true;
    };
    Value call(const Node& node, Type wanted);
    [[nodiscard]] std::vector<const Node*> arguments(Call& c);
    void word_argument(Call& c, const Parameter& parameter, const Node& node);
    void model_argument(Call& c, const Node& node);
    void bad(Call& c, const Node& node, std::string what, std::string to_do);
    void argument(Call& c, const Parameter& parameter, const Node& node, Type branch_type);
    void any_field(Call& c, const Node& node);
    static Type type_of(Kind kind, Type branch_type);
    void value_argument(Call& c, const Parameter& parameter, const Node& node, Type branch_type);
    void constant_argument(Call& c, const Parameter& parameter, const Node& node);
    [[nodiscard]] ValueType result(const Call& c) const;
    Value pure(const Call& c);
    Value remember(const Call& c);

    // What an alert tells

    void observe(const Node& node);

    /// FNV-1a over the calls of stateful functions: a state outlives a changed threshold, and not a changed window.
    void mix(std::string_view bytes);
    static constexpr std::uint64_t kFnvPrime = 1099511628211U;

    std::string_view text_;
    FieldTable& fields_;
    const LifeModels& models_;
    Duration every_;
    Program program_;
    Diagnostics faults_;
    std::map<std::tuple<Opcode, std::uint32_t, std::uint32_t, std::uint32_t, double>, std::uint32_t> known_;
    std::map<std::string, std::uint32_t> remembered_;
    std::map<std::string, std::pair<Type, Place>> used_;
};

}  // namespace sluice::models::rules
