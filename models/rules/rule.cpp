#include "models/rules/rule.hpp"

#include "models/rules/compiler.hpp"
#include "models/rules/parser.hpp"

#include <algorithm>
#include <iterator>

namespace sluice::models::rules {

namespace {

/// Compiles the parts of one rule, and gathers what is wrong with them.
class RuleCompiler {
 public:
    RuleCompiler(RuleSource source, FieldTable& fields) : fields_(fields) { rule_.source = std::move(source); }

    std::variant<Rule, std::vector<RuleDiagnostic>> run() {
        const auto& source = rule_.source;
        if (!source.where.empty()) rule_.where = condition("where", source.where);
        if (rule_.where && rule_.where->remembers()) {
            fault("where", diagnostic(source.where, {0, source.where.size()}, "\"where\" looks at one record at a time",
                                      "use windows in \"expr\""));
        }
        if (source.derive)
            derivation(*source.derive);
        else
            alert();
        if (!faults_.empty()) return std::move(faults_);
        return std::move(rule_);
    }

 private:
    void fault(const char* key, Diagnostic d) { faults_.push_back({rule_.source.name, key, std::move(d)}); }

    std::optional<Program> condition(const char* key, std::string_view text) {
        return taken(key, "", compile(text, fields_, Type::boolean, rule_.source.models));
    }

    std::optional<Program> taken(const char* key, const std::string& name, std::variant<Program, Diagnostics> made) {
        if (auto* program = std::get_if<Program>(&made)) return std::move(*program);
        for (auto& d : std::get<Diagnostics>(made)) {
            if (!name.empty()) d.what = name + ": " + d.what;
            fault(key, std::move(d));
        }
        return std::nullopt;
    }

    void alert() {
        const auto& source = rule_.source;
        if (auto expr = condition("expr", source.expr)) rule_.program = std::move(*expr);
        auto message = MessageTemplate::parse(source.message, source.labels);
        if (auto* d = std::get_if<Diagnostic>(&message))
            fault("message", std::move(*d));
        else
            rule_.message = std::move(std::get<MessageTemplate>(message));
        rule_.hold = {source.for_, source.keep_firing_for};
    }

    void derivation(const DeriveSource& derive) {
        std::size_t state = 0;
        for (const auto& [name, text] : derive.fields) {
            auto field = one_field(derive, name, text);
            if (!field) continue;
            field->state = state;
            if (field->program) state += field->program->state_bytes();
            rule_.fields.push_back(std::move(*field));
        }
        if (derive.every.count() > 0 && derive.fields.empty()) {
            fault("fields", diagnostic("", {0, 0}, "an interval has no record to copy",
                                       "name what to write: fields = { mean = \"avg(temperature, 1m)\" }"));
        }
        if (!rule_.source.by.empty() && !rule_.remembers()) {
            fault("by", diagnostic("", {0, 0}, "there is no window that devices could have of their own",
                                   "\"key\" makes the key of what is written"));
        }
    }

    std::optional<DerivedField> one_field(const DeriveSource& derive, const std::string& name,
                                          const std::string& text) {
        DerivedField field{name, {}, {}, 0};
        auto copied = path_to_pointer(text);
        if (auto* pointer = std::get_if<std::string>(&copied)) field.pointer = std::move(*pointer);
        if (field.pointer.empty()) {
            field.program = taken("fields", name, compile_value(text, fields_, derive.every, rule_.source.models));
            if (!field.program) return std::nullopt;
        }
        if (derive.every.count() > 0 && !(field.program && field.program->remembers())) {
            fault("fields", diagnostic(text, {0, text.size()}, name + ": at the end of an interval there is no record",
                                       "a window such as avg(x, 1m), or last(x)"));
            return std::nullopt;
        }
        return field;
    }

    FieldTable& fields_;
    Rule rule_;
    std::vector<RuleDiagnostic> faults_;
};

constexpr std::uint64_t kFnvPrime = 1099511628211U;

}  // namespace

std::size_t Rule::state_bytes() const {
    std::size_t all = sizeof(AlertState);
    each_program([&](const Program& p, std::size_t) { all += p.state_bytes(); });
    return all;
}

/// No rule's name has a blank in it.
std::string Rule::state_name() const {
    return derives() ? "derive " + source.name : source.name;
}

std::uint64_t Rule::fingerprint() const {
    if (!derives()) return program.fingerprint();
    auto all = static_cast<std::uint64_t>(source.derive->every.count());
    each_program([&](const Program& p, std::size_t) { all = (all ^ p.fingerprint()) * kFnvPrime; });
    return all;
}

std::size_t Rule::values() const {
    std::size_t most = 0;
    each_program([&](const Program& p, std::size_t) { most = std::max(most, p.values()); });
    return most;
}

bool Rule::remembers() const {
    bool any = false;
    each_program([&](const Program& p, std::size_t) { any = any || p.remembers(); });
    return any;
}

void Rule::start(std::byte* block, Time now) const {
    each_program([&](const Program& p, std::size_t at) { p.start(block + at, now); });
}

std::variant<Rule, std::vector<RuleDiagnostic>> compile_rule(RuleSource source, FieldTable& fields) {
    return RuleCompiler(std::move(source), fields).run();
}

std::variant<std::string, Diagnostic> path_to_pointer(std::string_view path) {
    auto parsed = parse(path);
    if (auto* d = std::get_if<Diagnostic>(&parsed)) return std::move(*d);
    auto& node = std::get<Node>(parsed);
    if (node.kind == Node::Kind::field) return std::move(node.text);
    return diagnostic(path, node.place, "this is no field", "such as site or machine.id");
}

std::variant<std::vector<std::size_t>, RuleDiagnostic> compile_by(const RuleSource& source, FieldTable& fields) {
    std::vector<std::size_t> slots;
    for (const auto& path : source.by) {
        auto pointer = path_to_pointer(path);
        if (auto* d = std::get_if<Diagnostic>(&pointer)) {
            if (d->what == "this is no field") d->what = "\"by\" takes fields";
            return RuleDiagnostic{source.name, "by", std::move(*d)};
        }
        slots.push_back(fields.slot(std::get<std::string>(pointer)));
    }
    return slots;
}

}  // namespace sluice::models::rules
