#include "models/rules/rule.hpp"

#include "models/rules/compiler.hpp"
#include "models/rules/parser.hpp"

namespace sluice::models::rules {

std::variant<Rule, std::vector<RuleDiagnostic>> compile_rule(RuleSource source, FieldTable& fields) {
    std::vector<RuleDiagnostic> faults;
    const auto fault = [&](const char* key, Diagnostic d) { faults.push_back({source.name, key, std::move(d)}); };
    const auto program = [&](const char* key, std::string_view text) -> std::optional<Program> {
        auto compiled = compile(text, fields, Type::boolean);
        if (auto* made = std::get_if<Program>(&compiled)) return std::move(*made);
        for (auto& d : std::get<Diagnostics>(compiled)) fault(key, std::move(d));
        return std::nullopt;
    };
    auto expr = program("expr", source.expr);
    std::optional<Program> where;
    if (!source.where.empty()) where = program("where", source.where);
    if (where && where->remembers()) {
        fault("where", diagnostic(source.where, {0, source.where.size()}, "\"where\" looks at one record at a time",
                                  "use windows in \"expr\""));
    }
    auto message = MessageTemplate::parse(source.message, source.labels);
    if (auto* d = std::get_if<Diagnostic>(&message)) fault("message", std::move(*d));
    if (!faults.empty()) return faults;
    const Hold hold{source.for_, source.keep_firing_for};
    return Rule{std::move(source), std::move(*expr), std::move(where), std::move(std::get<MessageTemplate>(message)),
                hold};
}

std::variant<std::vector<std::size_t>, RuleDiagnostic> compile_by(const RuleSource& source, FieldTable& fields) {
    std::vector<std::size_t> slots;
    for (const auto& path : source.by) {
        auto parsed = parse(path);
        if (auto* d = std::get_if<Diagnostic>(&parsed)) return RuleDiagnostic{source.name, "by", std::move(*d)};
        const auto& node = std::get<Node>(parsed);
        if (node.kind != Node::Kind::field) {
            return RuleDiagnostic{source.name, "by",
                                  diagnostic(path, node.place, "\"by\" takes fields", "such as site or machine.id")};
        }
        slots.push_back(fields.slot(node.text));
    }
    return slots;
}

}  // namespace sluice::models::rules
