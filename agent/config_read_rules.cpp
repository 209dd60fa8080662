#include "agent/config_names.hpp"
#include "agent/config_read.hpp"
#include "agent/config_secret.hpp"
#include "agent/config_text_place.hpp"
#include "agent/life_model_file.hpp"
#include "models/nearest_name.hpp"

#include <algorithm>
#include <set>
#include <utility>
#include <variant>

namespace sluice::agent {

namespace {

using models::rules::RuleDiagnostic;
using models::rules::RuleSet;
using models::rules::RuleSource;
using std::chrono_literals::operator""s;
using std::chrono_literals::operator""h;

constexpr auto kYear = 366 * 24h;
constexpr std::size_t kDevicesMaxMax = 1'000'000;

void read_labels(ConfigSection& rule, models::Labels& labels) {
    const auto* value = rule.table("labels", {"what the alert carries for programs", "", "table of strings"});
    if (value == nullptr) return;
    for (const auto& entry : value->get_if<ConfigTable>()->entries) {
        if (const auto* text = entry.value.get_if<std::string>()) {
            labels.emplace_back(entry.key, *text);
        } else {
            rule.context().diagnostics.error(entry.value.place,
                                             "rule.labels wants strings, not " + describe(entry.value));
        }
    }
}

void read_models(ConfigSection& general, models::LifeModels& models) {
    const auto* value = general.table("models", {"the files of models for `remaining()`, each by a name: `{ pump = "
                                                 "\"pump.life\" }`; `sluice life train` writes them",
                                                 "", "table of paths"});
    if (value == nullptr) return;
    const auto* table = value->get_if<ConfigTable>();
    ConfigSection section(general.context(), table, value->place, "rules.models", "[rules.models]");
    for (const auto& entry : table->entries) {
        std::string path;
        if (!section.read_path(entry.key, path, "a model")) continue;
        auto model = read_life_model(path);
        if (model)
            models.emplace(entry.key, models::NamedLifeModel::of(std::move(*model)));
        else
            section.error(entry.key, model.error().message());
    }
}

/// @return whether there is something to compile
bool read_rule(ConfigSection& section, RuleConfig& rule) {
    auto& source = rule.source;
    read_what_and_where(section, rule);
    const bool has_expr = section.read("expr", source.expr, {"the condition", "", "expression"});
    if (!section.has("expr")) section.missing("expr", "such as expr = \"temperature > 80\"");
    section.read("for", source.for_, 0s, kYear, "how long the condition must hold before the alert fires");
    section.read("keep_firing_for", source.keep_firing_for, 0s, kYear,
                 "how long it must be false before the alert is resolved");
    section.read("severity", source.severity, "what the alert carries");
    section.read("message", source.message, {"the alert's text for people", "", "text with places"});
    read_labels(section, source.labels);
    section.refuse_unknown();
    return has_expr && !source.name.empty() && !rule.stream.empty();
}

/// What the compiler says of the rules of one stream, each at its place.
void report(const std::vector<RuleDiagnostic>& faults, const std::vector<RuleSource>& sources,
            std::vector<ConfigSection>& sections) {
    for (const auto& fault : faults) {
        for (std::size_t i = 0; i < sources.size(); ++i) {
            if (sources[i].name != fault.rule) continue;
            auto& section = sections[i];
            const auto value = section.place_of(fault.key);
            // A field of `by` is an element of an array, those of `fields` of a table, and names are told at the whole.
            const bool inside =
                fault.key != "by" && fault.key != "name" && fault.key != "fields" && section.has(fault.key);
            section.context().diagnostics.error(
                inside ? place_in_string(value, fault.diagnostic.place.offset) : value,
                section.full_name(fault.key) + " of " + fault.rule + ": " + fault.diagnostic.what,
                fault.diagnostic.to_do);
            break;
        }
    }
}

void compile_rules(const RulesConfig& rules, std::vector<ConfigSection>& sections) {
    std::set<std::string> streams;
    for (const auto& rule : rules.rules) streams.insert(rule.stream);
    for (const auto& stream : streams) {
        std::vector<RuleSource> sources;
        std::vector<ConfigSection> of;
        for (std::size_t i = 0; i < rules.rules.size(); ++i) {
            if (rules.rules[i].stream != stream) continue;
            sources.push_back(rules.rules[i].source);
            of.push_back(sections[i]);
        }
        const auto built = RuleSet::build(sources, 1);
        if (const auto* faults = std::get_if<std::vector<RuleDiagnostic>>(&built)) report(*faults, sources, of);
    }
}

/// Reads all rules. @return the section of each
std::vector<ConfigSection> read_all(ConfigSection& top, RulesConfig& rules) {
    auto general = subsection(top, "rules");
    static_cast<void>(
        general.strings("files", {"files with `[[rule]]` tables, or directories of which all `*.toml` are read", "",
                                  "array of paths"}));  // they have been read with the configuration
    general.read_integer<std::size_t>(
        "max_devices", rules.devices_max, 1, kDevicesMaxMax,
        "for each stream with rules and each `by`: of more, the one that was silent longest makes room");
    read_models(general, rules.models);
    read_secret(general, "hash_key", rules.hash_key, "what derivations hash with; one of these three");
    general.refuse_unknown();
    std::vector<ConfigSection> sections;
    std::set<std::string> names;
    const auto keep = [&](RuleConfig rule, ConfigSection& section) {
        if (!names.insert(rule.source.name).second) {  // whatever their streams
            return section.error("name", "there is another rule " + in_quotes(rule.source.name),
                                 "alerts are known by it");
        }
        rule.source.models = rules.models;
        rules.rules.push_back(std::move(rule));
        sections.push_back(section);
    };
    for (const auto* table : top.tables("rule")) {
        auto section = array_section(top, "rule", *table);
        RuleConfig rule;
        if (read_rule(section, rule)) keep(std::move(rule), section);
    }
    for (const auto* table : top.tables("derive")) {
        auto section = array_section(top, "derive", *table);
        RuleConfig derivation;
        if (read_derivation(section, derivation, rules.hash_key.has_value())) keep(std::move(derivation), section);
    }
    compile_rules(rules, sections);
    return sections;
}

/// Streams of durability "memory" may lose what a rule has seen, and what it said.
void check_stream(ConfigSection& section, const std::string& stream, const Config& config) {
    const auto found = config.streams.find(stream);
    if (stream == kAlertsStream) {
        return section.error("stream", "the rules write this stream themselves", "name the stream of the devices");
    }
    if (found == config.streams.end()) {
        std::vector<std::string> names;
        for (const auto& [name, options] : config.streams) names.push_back(name);
        const auto nearest = models::nearest_name(stream, names);
        return section.error("stream", "there is no stream " + in_quotes(stream),
                             nearest ? "did you mean " + in_quotes(*nearest) + "?" : "no route leads to it");
    }
    if (found->second.log.durability == storage::Durability::memory) {
        section.warning("stream", "after a kill the rules have not seen what was only in memory",
                        "durability = \"fsync\" or \"flush\" for alerts exactly once");
    }
}

}  // namespace

void read_what_and_where(ConfigSection& section, RuleConfig& rule) {
    auto& source = rule.source;
    if (!section.read(
            "name", source.name,
            {"what its alerts, or the state of a derivation, are known by; each name once", "", "identity ¹"})) {
        if (!section.has("name")) section.missing("name", "such as name = \"overheating\"");
    } else if (!is_identity(source.name)) {
        section.error("name", in_quotes(source.name) + " is not a rule's name",
                      "1 to 128 letters, digits and . _ : - [ ]");
    }
    if (!section.read("stream", rule.stream, {"the stream whose records it looks at", "", "stream"}) &&
        !section.has("stream")) {
        section.missing("stream", "the stream whose records it looks at: stream = \"telemetry\"");
    }
    section.read("where", source.where,
                 {"it sees only records for which this is true; no windows in it", "all records", "expression"});
    for (const auto* path : section.strings(
             "by", {"what makes the device: `[\"site\", \"machine.id\"]`; of a derivation only with windows",
                    "the record's key", "array of fields"}))
        source.by.push_back(*path->get_if<std::string>());
    section.read("lateness", source.lateness, 0s, kYear, "how far behind the device's newest record a record may be");
}

std::map<std::string, std::vector<RuleSource>> RulesConfig::by_stream() const {
    std::map<std::string, std::vector<RuleSource>> streams;
    for (const auto& rule : rules) streams[rule.stream].push_back(rule.source);
    return streams;
}

void read_rules_alone(ConfigSection& top, RulesConfig& rules) {
    static_cast<void>(read_all(top, rules));
}

void read_rules(ConfigSection& top, Config& config) {
    auto sections = read_all(top, config.rules);
    for (std::size_t i = 0; i < sections.size(); ++i) check_stream(sections[i], config.rules.rules[i].stream, config);
    if (!top.has("rule") && !top.has("derive")) return;
    check_derived_streams(sections, config);
    for (auto& route : config.routes) {
        if (route.stream == kAlertsStream) {
            top.context().diagnostics.error(top.place_of("route"),
                                            "a route leads to the stream \"alerts\", which the rules write",
                                            "choose another name for that stream");
        }
        route.keep_arrival = std::any_of(config.rules.rules.begin(), config.rules.rules.end(),
                                         [&](const auto& rule) { return rule.stream == route.stream; });
    }
    auto& alerts = config.streams[kAlertsStream].log;
    if (alerts.durability == storage::Durability::memory) {
        top.context().diagnostics.error(top.place_of("stream"), "the stream \"alerts\" can't be kept in memory",
                                        "its durability says which alerts were told: \"fsync\" or \"flush\"");
    }
    if (alerts.compacts()) {
        top.context().diagnostics.error(top.place_of("stream"), "the stream \"alerts\" can't be compacted",
                                        "its log says which alerts were told; the topic in Kafka may well be");
    }
}

}  // namespace sluice::agent
