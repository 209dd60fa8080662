// `sluice rules`: which rules there are, and what they would have said of records that are there already.
#include "agent/cli/commands.hpp"
#include "agent/cli/data_dir.hpp"
#include "agent/config_text_file.hpp"
#include "agent/config_units.hpp"
#include "agent/rules/rule_input.hpp"
#include "agent/rules/rule_plot.hpp"
#include "agent/rules/rule_report.hpp"
#include "agent/rules/stream_rules.hpp"
#include "agent/text.hpp"
#include "models/nearest_name.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <iostream>
#include <map>

namespace sluice::agent {

namespace {

using models::rules::RuleSource;
using nlohmann::ordered_json;
using storage::Errc;
using storage::Error;
using storage::Result;

constexpr std::size_t kExpectBytesMax = 16U << 20U;

std::optional<LoadedRules> load(const std::string& file) {
    auto loaded = load_rules(file);
    for (const auto& error : loaded.errors) std::cerr << to_string(error) << '\n';
    if (!loaded.errors.empty()) return std::nullopt;
    if (loaded.rules.rules.empty()) {
        std::cerr << file << ": there is no [[rule]] or [[derive]] in it\n";
        return std::nullopt;
    }
    return loaded;
}

ordered_json rule_json(const models::rules::Rule& rule, const std::string& stream) {
    const auto& source = rule.source;
    ordered_json json = {{"name", source.name},
                         {"stream", stream},
                         {"expr", source.expr},
                         {"where", source.where},
                         {"by", source.by},
                         {"for", format_duration(source.for_)},
                         {"keep_firing_for", format_duration(source.keep_firing_for)},
                         {"severity", source.severity},
                         {"bytes_a_device", rule.state_bytes()}};
    if (source.derive) json["to"] = source.derive->to;
    return json;
}

void print_rule(const models::rules::Rule& rule, const std::string& stream) {
    const auto& source = rule.source;
    std::cout << source.name << " (" << (source.derive ? "to " + source.derive->to : source.severity) << "), on "
              << stream << ", " << rule.state_bytes() << " bytes a device\n";
    if (source.derive) {
        for (const auto& [name, text] : source.derive->fields) {
            std::cout << "    " << name << " = " << one_line(text) << '\n';
        }
    } else {
        std::cout << "    " << one_line(source.expr) << '\n';
    }
    if (!source.where.empty()) std::cout << "    where " << one_line(source.where) << '\n';
    std::string more;
    for (const auto& path : source.by) more += (more.empty() ? "by " : ", ") + path;
    if (source.for_.count() > 0) more += (more.empty() ? "" : "; ") + ("for " + format_duration(source.for_));
    if (source.keep_firing_for.count() > 0) {
        more += (more.empty() ? "" : "; ") + ("keeps firing for " + format_duration(source.keep_firing_for));
    }
    if (source.derive && source.derive->every.count() > 0) {
        more += (more.empty() ? "" : "; ") + ("every " + format_duration(source.derive->every));
    }
    if (!more.empty()) std::cout << "    " << more << '\n';
}

/// The rules that a test is about: of one stream, or those that were named.
struct Chosen {
    std::string stream;
    std::vector<RuleSource> rules;
};

Result<Chosen> choose(const RulesTestArguments& arguments, const RulesConfig& config) {
    Chosen chosen{arguments.stream, {}};
    for (const auto& name : arguments.rules) {
        const auto same = [&](const auto& rule) { return rule.source.name == name; };
        if (std::any_of(config.rules.begin(), config.rules.end(), same)) continue;
        std::vector<std::string> names;
        for (const auto& rule : config.rules) names.push_back(rule.source.name);
        const auto near = models::nearest_name(name, names);
        return Error(Errc::invalid,
                     "no rule " + in_quotes(name) +
                         (near ? " (did you mean " + in_quotes(*near) + "?)" : " (see sluice rules list)"));
    }
    for (const auto& rule : config.rules) {
        const auto& named = arguments.rules;
        if (!named.empty() && std::find(named.begin(), named.end(), rule.source.name) == named.end()) continue;
        if (chosen.stream.empty()) chosen.stream = rule.stream;
        if (rule.stream == chosen.stream) {
            chosen.rules.push_back(rule.source);
        } else if (arguments.stream.empty()) {
            return Error(Errc::invalid, "the rules are on the streams " + chosen.stream + " and " + rule.stream +
                                            " (name one: --stream)");
        }
    }
    if (!chosen.rules.empty()) return chosen;
    return Error(Errc::invalid, "no rule is on the stream " + in_quotes(chosen.stream) + " (see sluice rules list)");
}

/// Runs the rules over all records, and prints or collects what they say.
class Test {
 public:
    /// @param plot  nullptr: none is wanted
    Test(const RulesTestArguments& arguments, StreamRules& rules, const Chosen& chosen, RuleReport& report,
         RulePlot* plot)
        : arguments_(arguments), rules_(rules), stream_(chosen.stream), report_(report), plot_(plot) {
        rules_.on_derived([this](const std::string& to, const storage::Record& record, const AlertPosition&) {
            if (plot_ != nullptr && plot_->take(to, record)) return;
            ++derived_[to];
            if (arguments_.json) print_derived(to, record);
        });
    }

    Result<void> run(const std::string& data_dir) {
        const auto on_record = [this](const storage::RecordView& record) {
            ++records_;
            end_ = std::max(end_, record.timestamp);
            rules_.take(record, sink_);
        };
        auto done = arguments_.in.empty()
                        ? read_rule_stream(data_dir, stream_, arguments_.from.value_or(0), arguments_.to, on_record,
                                           [](const std::string& what) { std::cerr << what << " (skipped)\n"; })
                        : read_rule_file({arguments_.in, arguments_.time_column, arguments_.device_column}, on_record);
        if (!done) return done;
        if (arguments_.wait.count() > 0) {
            rules_.advance(rules_.newest_arrival() + arguments_.wait, sink_);
            end_ += arguments_.wait;
        }
        return {};
    }

    [[nodiscard]] models::Time end() const { return end_; }

    void print() const {
        if (arguments_.json) return print_json();
        for (const auto& firing : report_.firings()) {
            std::cout << firing.line() << "  # " << one_line(firing.message) << '\n';
        }
        for (const auto& rule : report_.rules()) {
            const auto sum = report_.sum(rule, end_);
            std::cout << "# " << rule << ": fired " << sum.fired << (sum.fired == 1 ? " time, " : " times, ")
                      << format_duration(sum.in_firing) << " in firing";
            if (sum.firing > 0) std::cout << ", " << sum.firing << " still";
            std::cout << '\n';
        }
        for (const auto& [to, count] : derived_) std::cout << "# " << count << " records to " << to << '\n';
        const auto& counters = rules_.set().counters();
        std::cout << "# " << records_ << " records of " << rules_.set().devices() << " devices";
        if (counters.late > 0) std::cout << ", " << counters.late << " too late";
        if (counters.without_device > 0) std::cout << ", " << counters.without_device << " without a device";
        if (counters.evicted > 0) std::cout << ", " << counters.evicted << " devices made room";
        if (rules_.undecodable() > 0) std::cout << ", " << rules_.undecodable() << " no JSON";
        std::cout << '\n';
    }

 private:
    static void print_derived(const std::string& to, const storage::Record& record) {
        ordered_json json = {{"derived", to}, {"timestamp", record.timestamp.time_since_epoch().count()}};
        json["key"] = record.key ? ordered_json(*record.key) : ordered_json(nullptr);
        json["value"] = *record.value;
        std::cout << json.dump(-1, ' ', false, ordered_json::error_handler_t::replace) << '\n';
    }

    void print_json() const {
        for (const auto& rule : report_.rules()) {
            const auto sum = report_.sum(rule, end_);
            std::cout << ordered_json({{"summary", rule},
                                       {"fired", sum.fired},
                                       {"still_firing", sum.firing},
                                       {"in_firing_ms", sum.in_firing.count()}})
                             .dump()
                      << '\n';
        }
    }

    const RulesTestArguments& arguments_;
    StreamRules& rules_;
    const std::string& stream_;
    RuleReport& report_;
    RulePlot* plot_;
    std::uint64_t records_ = 0;
    std::map<std::string, std::uint64_t> derived_;  // records, by stream
    models::Time end_ = models::Time(models::Duration(0));
    const StreamRules::Sink sink_ = [this](const models::Alert& alert, const AlertPosition&, storage::Timestamp) {
        report_.add(alert);
        if (!arguments_.json) return;
        std::cout << alert_json(alert, stream_).dump(-1, ' ', false, ordered_json::error_handler_t::replace) << '\n';
    };
};

int compare(const RulesTestArguments& arguments, const RuleReport& report) {
    const auto text = read_text_file(arguments.expect, kExpectBytesMax);
    const auto differ =
        text ? differences(report.firings(), *text, arguments.expect) : Result<std::string>(text.error());
    if (!differ) return report_failure(differ.error());
    if (differ->empty()) return kExitSuccess;
    std::cerr << "not what was expected:\n" << *differ;
    return kExitFailure;
}

}  // namespace

int rules_list_command(const RulesListArguments& arguments) {
    const auto loaded = load(arguments.config_file);
    if (!loaded) return kExitBadConfig;
    for (const auto& [stream, sources] : loaded->rules.by_stream()) {
        const auto made = StreamRules::make(sources, 1);
        if (!made) return report_failure(made.error());
        for (const auto* rule : (*made)->set().rules()) {
            if (arguments.json)
                std::cout << rule_json(*rule, stream).dump() << '\n';
            else
                print_rule(*rule, stream);
        }
    }
    return kExitSuccess;
}

int rules_test_command(const RulesTestArguments& arguments) {
    const auto loaded = load(arguments.config_file);
    if (!loaded) return kExitBadConfig;
    const auto chosen = choose(arguments, loaded->rules);
    if (!chosen) {
        std::cerr << "sluice: " << chosen.error().message() << '\n';
        return kExitUsage;
    }
    auto all = chosen->rules;
    std::optional<RulePlot> plot;
    if (!arguments.plot.empty()) {
        for (auto& derivation : plot.emplace(chosen->rules).derivations()) all.push_back(std::move(derivation));
    }
    const auto made = StreamRules::make(all, loaded->rules.devices_max, loaded->rules.hash_key.value_or(""));
    if (!made) return report_failure(made.error());
    std::vector<std::string> names;
    for (const auto& rule : chosen->rules) {
        if (!rule.derive) names.push_back(rule.name);
    }
    RuleReport report(names);
    Test test(arguments, **made, *chosen, report, plot ? &*plot : nullptr);
    if (const auto done = test.run(arguments.data_dir.value_or(loaded->data_dir)); !done) {
        return report_failure(done.error());
    }
    test.print();
    if (plot) {
        std::ofstream file(arguments.plot);
        file << plot->svg(report.firings(), test.end());
        if (!file.flush()) return report_failure(Error::from_errno(errno, "write", arguments.plot));
    }
    return arguments.expect.empty() ? kExitSuccess : compare(arguments, report);
}

}  // namespace sluice::agent
