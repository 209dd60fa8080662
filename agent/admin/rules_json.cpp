#include "agent/admin/rules_json.hpp"

#include "models/rules/message.hpp"

#include <nlohmann/json.hpp>

namespace sluice::agent::admin {

nlohmann::ordered_json rules_json(const RulesConfig& rules) {
    auto all = nlohmann::ordered_json::array();
    for (const auto& [stream, source] : rules.rules) {
        if (source.derive) continue;
        models::FieldTable fields;
        static_cast<void>(models::rules::compile_rule(source, fields));  // they compile: the configuration was checked
        all.push_back({{"name", source.name},
                       {"stream", stream},
                       {"expr", source.expr},
                       {"where", source.where},
                       {"by", source.by},
                       {"for", models::rules::format_duration(source.for_)},
                       {"severity", source.severity},
                       {"message", source.message},
                       {"fields", fields.paths()}});
    }
    return all;
}

}  // namespace sluice::agent::admin
