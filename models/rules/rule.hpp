// rule.hpp: a rule as it is configured, and as it runs.
#pragma once

#include "models/rules/alert_state.hpp"
#include "models/rules/message.hpp"
#include "models/rules/program.hpp"

#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace sluice::models::rules {

/// A [[rule]] of the configuration, read but not checked.
struct RuleSource {
    std::string name;
    std::string expr;
    std::string where;            ///< the rule sees only records for which this is true; empty: all
    std::vector<std::string> by;  ///< the fields that make the device; empty: the record's key
    Duration for_{0};
    Duration keep_firing_for{0};
    Duration lateness = std::chrono::minutes(1);  ///< how far behind the device's newest record one may be
    std::string severity = "warning";
    std::string message = "{rule}: {device}: {condition}, value {value}";
    Labels labels;
    bool operator==(const RuleSource&) const = default;
};

/// What is wrong with a rule; `key` is the one of RuleSource that the diagnostic's line and column are in.
struct RuleDiagnostic {
    std::string rule;
    std::string key;
    Diagnostic diagnostic;
};

struct Rule {
    RuleSource source;
    Program program;
    std::optional<Program> where;
    MessageTemplate message;
    Hold hold;
    std::size_t state = 0;  ///< where its AlertState begins in a device's block; the program's state follows

    /// What a state in a snapshot belongs to.
    [[nodiscard]] std::size_t state_bytes() const { return sizeof(AlertState) + program.state_bytes(); }
};

/// Checks everything but the name. The fields get slots in `fields`.
[[nodiscard]] std::variant<Rule, std::vector<RuleDiagnostic>> compile_rule(RuleSource source, FieldTable& fields);

/// The slots of `by`.
[[nodiscard]] std::variant<std::vector<std::size_t>, RuleDiagnostic> compile_by(const RuleSource& source,
                                                                                FieldTable& fields);

}  // namespace sluice::models::rules
