// rule_plot.hpp: a picture of what rules saw and said: SVG, a panel for each side that they compare, with its limit,
// the fields that it is made of, and when the rule fired.
//
// The curves come from derivations that write these sides at each record (models/rules/rule.hpp): what is drawn is what
// the rules calculate, and not a second opinion. Colours follow the reader's light or dark.
#pragma once

#include "agent/rules/plot_curve.hpp"
#include "agent/rules/rule_report.hpp"
#include "models/rules/rule.hpp"
#include "storage/record.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace sluice::agent {

class RulePlot {
 public:
    static constexpr std::size_t kDevicesMax = 6;  ///< those that fired, then those that came first

    /// @param rules  that compile
    explicit RulePlot(const std::vector<models::rules::RuleSource>& rules);

    /// To run beside the rules; what they write is for take().
    [[nodiscard]] std::vector<models::rules::RuleSource> derivations() const;
    /// @return false: it is of somebody else
    bool take(const std::string& to, const storage::Record& record);

    /// @param end  of the data
    [[nodiscard]] std::string svg(const std::vector<Firing>& firings, models::Time end) const;

 private:
    struct Panel {
        std::string what;                ///< the side that is compared, or a field
        std::string threshold;           ///< "> 80"; empty where there is none
        std::optional<double> limit;     ///< the number in it
        std::optional<std::string> raw;  ///< a field that is drawn behind it
    };
    struct Plotted {
        models::rules::RuleSource rule;
        std::vector<Panel> panels;
        std::map<std::string, std::map<std::string, PlotCurve>> curves;  ///< by what, by device
    };
    struct Drawn {
        const PlotCurve* curve;
        std::string kind;  ///< its classes
    };
    [[nodiscard]] std::vector<std::string> shown_devices(const std::vector<Firing>& firings) const;
    [[nodiscard]] std::string panel_svg(const Plotted& plotted, const Panel& panel,
                                        const std::vector<std::string>& devices, const std::vector<Firing>& firings,
                                        models::Time end, double y) const;
    [[nodiscard]] static std::vector<Drawn> curves_of(const Plotted& plotted, const Panel& panel,
                                                      const std::vector<std::string>& devices);

    std::vector<Plotted> rules_;
    std::vector<std::string> devices_;  // in the order in which they came
    std::optional<models::Time> start_;
};

}  // namespace sluice::agent
