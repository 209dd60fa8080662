// What is plotted; how it looks: rule_plot_svg.cpp.
#include "agent/rules/rule_plot.hpp"

#include "models/rules/compiler.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace sluice::agent {

namespace {

using models::rules::RuleSource;

constexpr std::string_view kPrefix = "plot ";  // no stream's name has a blank
constexpr const char* kSeen = "seen";
constexpr std::size_t kDevicesKept = 256;  // which of them fire is known only in the end

/// "/motor/phases/0/v" as expressions write it.
std::string path_of(const std::string& pointer) {
    std::string path;
    for (std::size_t at = 0; at < pointer.size();) {
        const auto next = std::min(pointer.find('/', at + 1), pointer.size());
        const auto name = pointer.substr(at + 1, next - at - 1);
        const bool is_index = !path.empty() && name.find_first_not_of("0123456789") == std::string::npos;
        if (is_index) {
            path += '[' + name + ']';
        } else {
            const bool plain =
                name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") ==
                std::string::npos;
            path += (path.empty() ? "" : ".") + (plain ? name : '`' + name + '`');
        }
        at = next;
    }
    return path;
}

/// The number of "> 0.5/1h", where it is one.
std::optional<double> limit_of(const std::string& threshold) {
    const auto number = threshold.substr(std::min(threshold.find_first_not_of("<>=! "), threshold.size()));
    models::FieldTable none;
    const auto made = models::rules::compile(number, none, std::nullopt);
    const auto* program = std::get_if<models::rules::Program>(&made);
    if (program == nullptr || program->remembers() || none.size() > 0) return std::nullopt;
    const double value = program->evaluate({}, {});
    return std::isfinite(value) ? std::optional(value) : std::nullopt;
}

/// Whether it has the unit and the size of what it is made of.
bool is_like_its_field(const std::string& what) {
    constexpr std::array kLike{"avg(", "min(", "max(", "median(", "quantile(", "ewma(", "last(", "hysteresis("};
    return std::any_of(kLike.begin(), kLike.end(), [&](const char* name) { return what.starts_with(name); });
}

}  // namespace

RulePlot::RulePlot(const std::vector<RuleSource>& rules) {
    for (const auto& source : rules) {
        if (source.derive) continue;
        models::FieldTable fields;
        const auto made = models::rules::compile_rule(source, fields);
        const auto& program = std::get<models::rules::Rule>(made).program;
        const std::vector<double> unknown(program.values(), std::numeric_limits<double>::quiet_NaN());
        Plotted plotted{source, {}, {}};
        std::vector<std::string> raw;
        for (const auto& pointer : fields.paths()) raw.push_back(path_of(pointer));
        for (const auto& side : program.observe({}, unknown)) {
            auto& panel = plotted.panels.emplace_back(Panel{side.text, side.threshold, limit_of(side.threshold), {}});
            for (const auto& path : raw) {
                if (is_like_its_field(side.text) && side.text.find(path) != std::string::npos) panel.raw = path;
            }
        }
        for (const auto& path : raw) {
            const auto has_it = [&](const Panel& panel) { return panel.what == path || panel.raw == path; };
            if (std::any_of(plotted.panels.begin(), plotted.panels.end(), has_it)) continue;
            plotted.panels.insert(plotted.panels.begin(), Panel{path, {}, {}, {}});
        }
        rules_.push_back(std::move(plotted));
    }
}

std::vector<RuleSource> RulePlot::derivations() const {
    std::vector<RuleSource> all;
    for (std::size_t i = 0; i < rules_.size(); ++i) {
        auto source = rules_[i].rule;
        source.name = std::string(kPrefix) + source.name;
        auto& derive = source.derive.emplace();
        derive.to = std::string(kPrefix) + std::to_string(i);
        const auto add = [&](const std::string& what) {
            const auto known = [&](const auto& field) { return field.first == what; };
            if (std::none_of(derive.fields.begin(), derive.fields.end(), known)) derive.fields.emplace_back(what, what);
        };
        for (const auto& panel : rules_[i].panels) {
            add(panel.what);
            if (panel.raw) add(*panel.raw);
        }
        if (derive.fields.empty()) continue;  // silence alone: there is no curve
        // With a window it sees the devices that the rule sees, whatever else it looks at.
        derive.fields.emplace_back(kSeen, "count(" + std::string(kSeen) + ", 1s)");
        all.push_back(std::move(source));
    }
    return all;
}

bool RulePlot::take(const std::string& to, const storage::Record& record) {
    if (!to.starts_with(kPrefix)) return false;
    auto& plotted = rules_.at(std::stoul(to.substr(kPrefix.size())));
    const auto device = record.key.value_or("");
    if (std::find(devices_.begin(), devices_.end(), device) == devices_.end()) {
        if (devices_.size() >= kDevicesKept) return true;
        devices_.push_back(device);
    }
    start_ = std::min(start_.value_or(record.timestamp), record.timestamp);
    const auto values = nlohmann::json::parse(*record.value);
    for (const auto& [what, value] : values.items()) {
        if (what == kSeen) continue;
        if (value.is_number())
            plotted.curves[what][device].add(record.timestamp, value.get<double>());
        else if (value.is_boolean())
            plotted.curves[what][device].add(record.timestamp, value.get<bool>() ? 1 : 0);
    }
    return true;
}

std::vector<std::string> RulePlot::shown_devices(const std::vector<Firing>& firings) const {
    std::vector<std::string> shown;
    const auto add = [&](const std::string& device) {
        if (shown.size() < kDevicesMax && std::find(shown.begin(), shown.end(), device) == shown.end()) {
            shown.push_back(device);
        }
    };
    for (const auto& firing : firings) add(firing.device);
    for (const auto& device : devices_) add(device);
    return shown;
}

}  // namespace sluice::agent
