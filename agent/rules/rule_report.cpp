#include "agent/rules/rule_report.hpp"

#include "agent/text.hpp"
#include "bridge/payload/timestamp.hpp"

#include <algorithm>
#include <iomanip>
#include <sstream>

namespace sluice::agent {

namespace {

using storage::Errc;
using storage::Error;

std::string word(const std::string& text) {
    if (!text.empty() && text.find_first_of(" \t\n\"#") == std::string::npos && text != "-") return text;
    std::ostringstream out;
    out << std::quoted(one_line(text));
    return out.str();
}

struct Expected {
    std::string line;  // as Firing::line() has it
    std::size_t number;
};

/// @return nullopt for a line that says nothing
storage::Result<std::optional<Expected>> parse(const std::string& text, const std::string& path, std::size_t number) {
    const auto wrong = [&](const std::string& what) {
        return Error(Errc::invalid, path + ":" + std::to_string(number) + ":1: " + what +
                                        " (write RULE DEVICE START END, as `sluice rules test` prints it)");
    };
    std::istringstream words(text);
    std::vector<std::string> all;
    for (std::string next; words >> std::ws && words.peek() != '#' && words >> std::quoted(next);) all.push_back(next);
    if (all.empty()) return std::optional<Expected>();
    if (all.size() != 4) return wrong(std::to_string(all.size()) + " words");
    Firing firing;
    firing.rule = all[0];
    firing.device = all[1];
    const auto start = bridge::parse_rfc3339(all[2]);
    if (!start) return wrong(start.error().message());
    firing.start = *start;
    if (all[3] != "-") {
        const auto end = bridge::parse_rfc3339(all[3]);
        if (!end) return wrong(end.error().message());
        firing.end = *end;
    }
    return std::optional(Expected{firing.line(), number});
}

}  // namespace

std::string Firing::line() const {
    return word(rule) + ' ' + word(device) + ' ' + format_time(start) + ' ' + (end ? format_time(*end) : "-");
}

RuleReport::RuleReport(const std::vector<std::string>& rules) : rules_(rules) {}

void RuleReport::add(const models::Alert& alert) {
    if (alert.change == models::Alert::Change::firing) {
        open_[alert.id()] = firings_.size();
        firings_.push_back({alert.rule, alert.device, alert.start, {}, alert.at, alert.message, alert.value});
        return;
    }
    const auto found = open_.find(alert.id());
    if (found == open_.end()) return;
    firings_[found->second].end = alert.at;
    open_.erase(found);
}

RuleSum RuleReport::sum(const std::string& rule, models::Time end) const {
    RuleSum sum;
    for (const auto& firing : firings_) {
        if (firing.rule != rule) continue;
        ++sum.fired;
        if (!firing.end) ++sum.firing;
        sum.in_firing += std::max(models::Duration(0), firing.end.value_or(end) - firing.fired);
    }
    return sum;
}

storage::Result<std::string> differences(const std::vector<Firing>& firings, const std::string& text,
                                         const std::string& path) {
    std::multimap<std::string, std::size_t> expected;  // to the line's number
    std::istringstream lines(text);
    std::size_t number = 0;
    for (std::string line; std::getline(lines, line);) {
        auto parsed = parse(line, path, ++number);
        if (!parsed) return parsed.error();
        if (*parsed) expected.emplace((*parsed)->line, number);
    }
    std::string all;
    for (const auto& firing : firings) {
        const auto found = expected.find(firing.line());
        if (found == expected.end())
            all += "+ " + firing.line() + "  (not expected: " + one_line(firing.message) + ")\n";
        else
            expected.erase(found);
    }
    std::string missing;
    for (const auto& [line, at] : expected) missing += "- " + line + "  (" + path + ":" + std::to_string(at) + ")\n";
    return missing + all;
}

}  // namespace sluice::agent
