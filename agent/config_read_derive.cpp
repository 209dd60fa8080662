// [[derive]]: what is written of a stream's records to another stream.
#include "agent/config_names.hpp"
#include "agent/config_read.hpp"
#include "agent/rules/derived_record.hpp"

#include <algorithm>

namespace sluice::agent {

namespace {

using models::rules::DeriveSource;
using std::chrono_literals::operator""h;

constexpr auto kEveryMin = std::chrono::milliseconds(100);  // as of a window
constexpr auto kEveryMax = 24h;

/// NAME = TEXT of a table of strings.
void read_texts(ConfigSection& section, std::string_view key, std::vector<std::pair<std::string, std::string>>& texts,
                const KeyDoc& doc) {
    const auto* value = section.table(key, doc);
    if (value == nullptr) return;
    for (const auto& entry : value->get_if<ConfigTable>()->entries) {
        if (const auto* text = entry.value.get_if<std::string>()) {
            texts.emplace_back(entry.key, *text);
        } else {
            section.context().diagnostics.error(entry.value.place,
                                                section.full_name(key) + " wants strings, not " + describe(entry.value),
                                                "a path with a dot needs quotes");
        }
    }
}

void read_steps(ConfigSection& section, std::vector<std::pair<std::string, double>>& steps) {
    const auto* value = section.table(
        "round", {"the step of which numbers are rounded to a multiple, by path", "", "table of numbers"});
    if (value == nullptr) return;
    for (const auto& entry : value->get_if<ConfigTable>()->entries) {
        const auto* real = entry.value.get_if<double>();
        const auto* whole = entry.value.get_if<std::int64_t>();
        const double step = real != nullptr ? *real : whole != nullptr ? static_cast<double>(*whole) : 0;
        if (step > 0) {
            steps.emplace_back(entry.key, step);
        } else {
            section.context().diagnostics.error(entry.value.place, "derive.round wants a step above 0",
                                                "0.01 leaves two digits; a path with a dot needs quotes");
        }
    }
}

void read_paths(ConfigSection& section, std::string_view key, std::vector<std::string>& paths, const KeyDoc& doc) {
    for (const auto* path : section.strings(key, doc)) paths.push_back(*path->get_if<std::string>());
}

/// A stream is derived from one other: its log says how far that has been written (agent/rules/alert_record.hpp).
std::string fault_of_target(const RuleConfig& derivation, const Config& config) {
    const auto& to = derivation.source.derive->to;
    if (to == kAlertsStream || to.starts_with(kOwnStreamPrefix)) return "the agent writes this stream itself";
    for (const auto& route : config.routes) {
        if (route.stream == to) return "a route leads to this stream";
    }
    auto from = derivation.stream;
    for (std::size_t steps = 0; steps <= config.rules.rules.size(); ++steps) {
        if (from == to) return "the stream would be derived from itself";
        const auto& all = config.rules.rules;
        const auto before = std::find_if(all.begin(), all.end(), [&](const auto& rule) {
            return rule.source.derive && rule.source.derive->to == from;
        });
        if (before == all.end()) break;
        from = before->stream;
    }
    for (const auto& other : config.rules.rules) {
        if (!other.source.derive || other.source.derive->to != to || other.stream == derivation.stream) continue;
        return "it is derived from " + in_quotes(other.stream) + " already, and has one source";
    }
    return {};
}

}  // namespace

bool read_derivation(ConfigSection& section, RuleConfig& rule, bool has_hash_key) {
    auto& derive = rule.source.derive.emplace();
    read_what_and_where(section, rule);
    if (!section.read("to", derive.to,
                      {"the stream that is written: no route leads there, it has one source, and is neither compacted "
                       "nor kept in memory",
                       "", "stream"})) {
        if (!section.has("to")) section.missing("to", "the stream that is written: to = \"telemetry-1m\"");
    } else if (!is_kafka_topic_name(derive.to)) {
        section.error("to", in_quotes(derive.to) + " is not a stream's name", "1 to 249 letters, digits and . _ -");
    }
    section.read(
        "every", derive.every, kEveryMin, kEveryMax,
        {"what is written comes at the end of each interval in which the device sent something", "at each record"});
    section.read("key", derive.key,
                 {"the key of what is written: `{device}`, `{device_hash}`, `{FIELD}` of what is written", "",
                  "text with places"});
    read_texts(section, "fields", derive.fields,
               {"what is written: `{ mean = \"avg(temperature, 1m)\" }`", "the record's own", "table of expressions"});
    read_paths(section, "drop", derive.drop, {"the fields that are left out", "", "array of paths"});
    read_paths(section, "hash", derive.hash, {"the fields that are replaced by their HMAC", "", "array of paths"});
    read_steps(section, derive.round);
    read_texts(section, "rename", derive.rename, {"new names of fields, by path", "", "table of strings"});
    const bool hashes = !derive.hash.empty() || derive.key.find("{device_hash}") != std::string::npos;
    if (hashes && !has_hash_key) {
        section.error(derive.hash.empty() ? "key" : "hash", "there is no key to hash with",
                      "[rules] hash_key_file = \"/etc/sluice/hash-key\": without one, names are guessed");
    }
    if (const auto fault = check_derivation(rule.source)) {
        section.error(fault->key, fault->diagnostic.what, fault->diagnostic.to_do);
        return false;
    }
    section.refuse_unknown();
    return !rule.source.name.empty() && !rule.stream.empty() && !derive.to.empty();
}

void check_derived_streams(std::vector<ConfigSection>& sections, const Config& config) {
    for (std::size_t i = 0; i < sections.size(); ++i) {
        const auto& derivation = config.rules.rules[i];
        if (!derivation.source.derive) continue;
        if (const auto fault = fault_of_target(derivation, config); !fault.empty()) {
            sections[i].error("to", fault, "choose another name");
            continue;
        }
        const auto found = config.streams.find(derivation.source.derive->to);
        if (found == config.streams.end()) continue;  // its name is none
        const auto& log = found->second.log;
        if (log.durability == storage::Durability::memory || log.compacts()) {
            sections[i].error("to", "a derived stream is neither kept in memory nor compacted",
                              "its log says how far it has been written; the topic in Kafka may well be compacted");
        }
    }
}

}  // namespace sluice::agent
