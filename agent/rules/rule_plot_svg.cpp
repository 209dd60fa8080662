// How a plot looks.
#include "agent/rules/rule_plot.hpp"
#include "agent/text.hpp"
#include "models/rules/message.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <iterator>
#include <limits>
#include <utility>

namespace sluice::agent {

namespace {

using models::Duration;
using models::Time;
using std::chrono_literals::operator""h;
using std::chrono_literals::operator""min;
using std::chrono_literals::operator""s;

constexpr double kWidth = 960;
constexpr double kLeft = 72;
constexpr double kRight = kWidth - 16;
constexpr double kPanel = 130;
constexpr double kGap = 26;
constexpr double kTitle = 26;
constexpr double kBar = 5;
constexpr double kLabelHalf = 36;
constexpr double kLimitsAway = 10;
constexpr int kTicksX = 8;
constexpr double kTicksY = 4;

constexpr const char* kStyle = R"(<style>
text { font: 12px system-ui, sans-serif; fill: #333 } .title { font-weight: 600; font-size: 14px } .small { fill: #777 }
.back { fill: #fff } .frame { fill: none; stroke: #bbb } .grid { stroke: #e4e4e4 } .limit { stroke: #c22; stroke-dasharray: 5 4 }
.curve { fill: none; stroke-width: 1.4 } .raw { opacity: .35; stroke-width: 1 } .firing { opacity: .16 } .pending { opacity: .07 }
.d0 { stroke: #1769aa } .d1 { stroke: #b45309 } .d2 { stroke: #2e7d32 } .d3 { stroke: #7b3fa0 } .d4 { stroke: #ad1457 } .d5 { stroke: #00796b }
.f0 { fill: #1769aa } .f1 { fill: #b45309 } .f2 { fill: #2e7d32 } .f3 { fill: #7b3fa0 } .f4 { fill: #ad1457 } .f5 { fill: #00796b }
@media (prefers-color-scheme: dark) {
text { fill: #ddd } .small { fill: #999 } .back { fill: #16181d } .frame { stroke: #555 } .grid { stroke: #2c3038 } .limit { stroke: #ff6b6b }
.firing { opacity: .3 } .pending { opacity: .13 }
.d0 { stroke: #6db3f2 } .d1 { stroke: #f0a04b } .d2 { stroke: #7bc67e } .d3 { stroke: #c79be0 } .d4 { stroke: #f06fa0 } .d5 { stroke: #4fc3b5 }
.f0 { fill: #6db3f2 } .f1 { fill: #f0a04b } .f2 { fill: #7bc67e } .f3 { fill: #c79be0 } .f4 { fill: #f06fa0 } .f5 { fill: #4fc3b5 }
}
</style>
)";

std::string escaped(const std::string& text) {
    std::string out;
    for (const char c : one_line(text)) {
        if (c == '<')
            out += "&lt;";
        else if (c == '&')
            out += "&amp;";
        else
            out += c;
    }
    return out;
}

std::string px(double value) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.1f", value);
    return text.data();
}

std::string text_at(double x, double y, const std::string& text, const std::string& more = {}) {
    return "<text x=\"" + px(x) + "\" y=\"" + px(y) + "\"" + more + ">" + escaped(text) + "</text>\n";
}

std::string line(double x1, double y1, double x2, double y2, const std::string& kind) {
    return "<line class=\"" + kind + "\" x1=\"" + px(x1) + "\" y1=\"" + px(y1) + "\" x2=\"" + px(x2) + "\" y2=\"" +
           px(y2) + "\"/>\n";
}

std::string box(double x, double y, double width, double height, const std::string& kind) {
    return "<rect class=\"" + kind + "\" x=\"" + px(x) + "\" y=\"" + px(y) + "\" width=\"" + px(width) +
           "\" height=\"" + px(height) + "\"/>\n";
}

/// Steps such as 1, 2, 5, 10 that fit at most `most` times.
double nice_step(double span, double most) {
    const double least = span / most;
    const double power = std::pow(10, std::floor(std::log10(least)));
    for (const double factor : {1.0, 2.0, 5.0}) {
        if (power * factor >= least) return power * factor;
    }
    return power * 10;
}

Duration nice_step(Duration span) {
    for (const Duration step : std::initializer_list<Duration>{1s, 2s, 5s, 10s, 30s, 1min, 2min, 5min, 10min, 30min,
                                                               1h, 2h, 3h, 6h,  12h, 24h,  48h,  96h,  168h,  336h}) {
        if (span / step <= kTicksX) return step;
    }
    return span / kTicksX + Duration(1);
}

/// Of a panel: from values to the picture.
struct Scale {
    Time start;
    Time end;
    double low;
    double high;
    double top;

    [[nodiscard]] double x(Time time) const {
        const auto part = static_cast<double>((std::clamp(time, start, end) - start).count()) /
                          static_cast<double>(std::max<std::int64_t>((end - start).count(), 1));
        return kLeft + part * (kRight - kLeft);
    }
    [[nodiscard]] double y(double value) const {
        return top + kPanel * (1 - (std::clamp(value, low, high) - low) / (high - low));
    }
};

std::string axes(const Scale& scale, bool labelled) {
    std::string out;
    const double step = nice_step(scale.high - scale.low, kTicksY);
    for (auto i = static_cast<std::int64_t>(std::ceil(scale.low / step)); static_cast<double>(i) * step <= scale.high;
         ++i) {
        const double value = static_cast<double>(i) * step;
        out += line(kLeft, scale.y(value), kRight, scale.y(value), "grid");
        out += text_at(kLeft - 6, scale.y(value) + 4, models::rules::format_number(value),
                       " class=\"small\" text-anchor=\"end\"");
    }
    const auto wide = nice_step(scale.end - scale.start);
    const auto first = (scale.start.time_since_epoch() / wide) * wide;
    for (Time time(first); time <= scale.end; time += wide) {
        if (time < scale.start) continue;
        out += line(scale.x(time), scale.top, scale.x(time), scale.top + kPanel, "grid");
        if (!labelled) continue;
        const auto text = format_time(time);  // 2026-01-31T12:00:00.000Z
        const auto label = wide >= 24h    ? text.substr(0, 10)
                           : wide >= 1min ? text.substr(5, 5) + " " + text.substr(11, 5)
                                          : text.substr(11, 8);
        const bool fits = scale.x(time) + kLabelHalf <= kWidth;
        out += text_at(fits ? scale.x(time) : kRight, scale.top + kPanel + 16, label,
                       fits ? " class=\"small\" text-anchor=\"middle\"" : " class=\"small\" text-anchor=\"end\"");
    }
    return out + box(kLeft, scale.top, kRight - kLeft, kPanel, "frame");
}

/// Where a step has many values, from its least to its greatest.
std::string curve(const Scale& scale, const PlotCurve& values, const std::string& kind) {
    std::string path;
    double low_before = 0;
    for (const auto& step : values.steps()) {
        if (step.empty()) continue;
        const bool rises = step.high - low_before > low_before - step.low;
        const double first = rises ? step.low : step.high;
        const double second = rises ? step.high : step.low;
        path += (path.empty() ? "M" : "L") + px(scale.x(step.time)) + " " + px(scale.y(first));
        if (first != second) path += "V" + px(scale.y(second));
        low_before = second;
    }
    return "<path class=\"curve " + kind + "\" d=\"" + path + "\"/>\n";
}

/// The range of what is drawn, with room around it. What is far beyond the limit is cut: one sees how it comes near.
template <class Drawn>
std::pair<double, double> range_of(const std::vector<Drawn>& curves, const std::optional<double>& limit) {
    double low = limit.value_or(std::numeric_limits<double>::infinity());
    double high = limit.value_or(-std::numeric_limits<double>::infinity());
    for (const auto& each : curves) {
        for (const auto& step : each.curve->steps()) {
            low = std::min(low, step.low);
            high = std::max(high, step.high);
        }
    }
    if (limit && *limit != 0) {
        low = std::max(low, *limit - kLimitsAway * std::abs(*limit));
        high = std::min(high, *limit + kLimitsAway * std::abs(*limit));
    }
    if (low > high) return {0, 1};
    const double room = high > low ? (high - low) * 0.06 : std::max(std::abs(high) * 0.1, 1e-3);
    return {low - room, high + room};
}

/// The names of the devices, each with its colour.
std::string legend(const std::vector<std::string>& devices, double y) {
    std::string out;
    for (std::size_t i = 0; i < devices.size(); ++i) {
        const double x = kLeft + static_cast<double>(i) * (kRight - kLeft) / static_cast<double>(RulePlot::kDevicesMax);
        out += box(x, y + 3, 10, 10, "f" + std::to_string(i)) + text_at(x + 15, y + 13, devices[i]);
    }
    return out;
}

std::string heading(const models::rules::RuleSource& rule, double y) {
    auto expression = rule.expr;
    if (rule.for_.count() > 0) expression += ", for " + models::rules::format_duration(rule.for_);
    const auto beside = kLeft + 20 + 8.5 * static_cast<double>(rule.name.size());
    return text_at(kLeft, y + 16, rule.name, " class=\"title\"") +
           text_at(beside, y + 16, expression.substr(0, 120), " class=\"small\"");
}

/// From when a device's condition held, from when the alert fired, and until when.
std::string firing_boxes(const Scale& scale, const Firing& firing, const std::string& fill) {
    const double from = scale.x(firing.start);
    const double fired = scale.x(firing.fired);
    const double to = std::max(scale.x(firing.end.value_or(scale.end)), fired + 1);
    return box(from, scale.top, fired - from, kPanel, "pending " + fill) +
           box(fired, scale.top, to - fired, kPanel, "firing " + fill) +
           box(fired, scale.top + kPanel - kBar, to - fired, kBar, fill);
}

}  // namespace

std::string RulePlot::svg(const std::vector<Firing>& firings, Time end) const {
    const auto devices = shown_devices(firings);
    double y = 8;
    auto body = legend(devices, y);
    y += 24;
    for (const auto& plotted : rules_) {
        body += heading(plotted.rule, y);
        y += kTitle;
        for (const auto& panel : plotted.panels) {
            const bool last = &panel == &plotted.panels.back();
            body += panel_svg(plotted, panel, devices, firings, end, y);
            y += 16 + kPanel + (last ? kGap + 6 : 8);
        }
    }
    return "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " + px(kWidth) + " " + px(y) + "\">\n" + kStyle +
           box(0, 0, kWidth, y, "back") + body + "</svg>\n";
}

std::string RulePlot::panel_svg(const Plotted& plotted, const Panel& panel, const std::vector<std::string>& devices,
                                const std::vector<Firing>& firings, Time end, double y) const {
    const auto drawn = curves_of(plotted, panel, devices);
    const auto [low, high] = range_of(drawn, panel.limit);
    const Scale scale{start_.value_or(end), end, low, high, y + 16};
    auto out = text_at(kLeft, y + 11, panel.what + (panel.threshold.empty() ? "" : " " + panel.threshold));
    out += axes(scale, &panel == &plotted.panels.back());
    for (const auto& firing : firings) {
        const auto device = std::find(devices.begin(), devices.end(), firing.device);
        if (firing.rule != plotted.rule.name || device == devices.end()) continue;
        out += firing_boxes(scale, firing, "f" + std::to_string(device - devices.begin()));
    }
    if (panel.limit) out += line(kLeft, scale.y(*panel.limit), kRight, scale.y(*panel.limit), "limit");
    for (const auto& each : drawn) out += curve(scale, *each.curve, each.kind);
    return out;
}

std::vector<RulePlot::Drawn> RulePlot::curves_of(const Plotted& plotted, const Panel& panel,
                                                 const std::vector<std::string>& devices) {
    std::vector<Drawn> drawn;
    const auto add = [&](const std::string& what, const std::string& kind) {
        const auto found = plotted.curves.find(what);
        if (found == plotted.curves.end()) return;
        for (std::size_t i = 0; i < devices.size(); ++i) {
            const auto of = found->second.find(devices[i]);
            if (of != found->second.end()) drawn.push_back({&of->second, kind + "d" + std::to_string(i)});
        }
    };
    if (panel.raw) add(*panel.raw, "raw ");
    add(panel.what, "");
    return drawn;
}

}  // namespace sluice::agent
