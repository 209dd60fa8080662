// rule.hpp: a rule as it is configured, and as it runs. A derivation is a rule too: it sees the same records of the
// same devices, and says a record of another stream where an alert would be.
#pragma once

#include "models/life/life_models.hpp"
#include "models/rules/alert_state.hpp"
#include "models/rules/message.hpp"
#include "models/rules/program.hpp"

#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace sluice::models::rules {

/// What a [[derive]] writes.
struct DeriveSource {
    std::string to;                                           ///< the stream
    Duration every{0};                                        ///< an interval of the device's time; 0: at each record
    std::vector<std::pair<std::string, std::string>> fields;  ///< name and expression; empty: the record's own
    // What becomes of them then, by path. Nothing here looks at these: whoever makes the payload does.
    std::vector<std::string> drop;
    std::vector<std::string> hash;
    std::vector<std::pair<std::string, double>> round;
    std::vector<std::pair<std::string, std::string>> rename;
    std::string key = "{device}";
    bool operator==(const DeriveSource&) const = default;
};

/// A [[rule]] or [[derive]] of the configuration, read but not checked.
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
    std::optional<DeriveSource> derive;  ///< then there is no `expr`, nor what belongs to alerts
    LifeModels models;                   ///< those that expressions may name
    bool operator==(const RuleSource&) const = default;
};

/// What is wrong with a rule; `key` is the one of RuleSource that the diagnostic's line and column are in.
struct RuleDiagnostic {
    std::string rule;
    std::string key;
    Diagnostic diagnostic;
};

/// A field that a derivation writes.
struct DerivedField {
    std::string name;
    std::string pointer;             ///< of a field that is copied from the record, whatever it holds; else …
    std::optional<Program> program;  ///< … what is calculated
    std::size_t state = 0;           ///< where the program's state begins, behind the AlertState
};

struct Rule {
    RuleSource source;
    Program program;  ///< of a derivation: none
    std::optional<Program> where;
    MessageTemplate message;
    Hold hold;
    std::vector<DerivedField> fields;
    std::size_t state = 0;  ///< where its AlertState begins in a device's block; the programs' states follow

    [[nodiscard]] bool derives() const { return source.derive.has_value(); }
    [[nodiscard]] std::size_t state_bytes() const;
    // What a state in a snapshot belongs to.
    [[nodiscard]] std::string state_name() const;
    [[nodiscard]] std::uint64_t fingerprint() const;
    /// How many values the largest of its programs writes.
    [[nodiscard]] std::size_t values() const;
    /// Whether it reads anything of the device's past.
    [[nodiscard]] bool remembers() const;
    /// Begins all that it remembers. @param block  behind the AlertState
    void start(std::byte* block, Time now) const;
    /// Calls `visit(program, where its state begins)`.
    template <class Visit>
    void each_program(Visit visit) const {
        if (!derives()) visit(program, std::size_t{0});
        for (const auto& field : fields) {
            if (field.program) visit(*field.program, field.state);
        }
    }
};

/// Checks everything but the name. The fields get slots in `fields`.
[[nodiscard]] std::variant<Rule, std::vector<RuleDiagnostic>> compile_rule(RuleSource source, FieldTable& fields);

/// "machine.phases[0]" as a JSON pointer.
[[nodiscard]] std::variant<std::string, Diagnostic> path_to_pointer(std::string_view path);

/// The slots of `by`.
[[nodiscard]] std::variant<std::vector<std::size_t>, RuleDiagnostic> compile_by(const RuleSource& source,
                                                                                FieldTable& fields);

}  // namespace sluice::models::rules
