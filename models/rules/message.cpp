#include "models/rules/message.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace sluice::models::rules {

namespace {

constexpr std::string_view kLabel = "labels.";

const std::vector<std::string>& places() {
    static const std::vector<std::string> all{"rule",      "device", "severity", "value", "threshold",
                                              "condition", "window", "start",    "labels"};
    return all;
}

std::string joined(const Labels& labels) {
    std::string out;
    for (const auto& [name, value] : labels) {
        if (!out.empty()) out += ", ";
        out += name + '=' + value;
    }
    return out;
}

std::string content(const Alert& alert, std::string_view place) {
    if (place == "rule") return alert.rule;
    if (place == "device") return alert.device;
    if (place == "severity") return alert.severity;
    if (place == "value") return format_number(alert.value);
    if (place == "threshold") return alert.threshold;
    if (place == "condition") return alert.condition;
    if (place == "window") return format_duration(alert.window);
    if (place == "start") return format_time(alert.start);
    if (place == "labels") return joined(alert.labels);
    for (const auto& [name, value] : alert.labels) {
        if (place.substr(kLabel.size()) == name) return value;
    }
    return {};
}

}  // namespace

std::variant<MessageTemplate, Diagnostic> MessageTemplate::parse(std::string_view text, const Labels& labels) {
    auto known = places();
    for (const auto& [name, value] : labels) known.push_back(std::string(kLabel) + name);
    MessageTemplate result;
    result.parts_.push_back({});
    for (std::size_t at = 0; at < text.size(); ++at) {
        const char c = text[at];
        if (c != '{' && c != '}') {
            result.parts_.back().text += c;
            continue;
        }
        if (at + 1 < text.size() && text[at + 1] == c) {
            result.parts_.back().text += c;
            ++at;
            continue;
        }
        const auto end = text.find('}', at);
        if (c == '}' || end == std::string_view::npos) {
            return diagnostic(text, {at, 1}, std::string("a single \"") + c + "\"", "write it twice for a brace");
        }
        const auto place = text.substr(at + 1, end - at - 1);
        if (std::find(known.begin(), known.end(), place) == known.end()) {
            return diagnostic(text, {at, end - at + 1}, "there is no \"{" + std::string(place) + "}\" to fill in",
                              hint(place, known, "there are {value}, {device}, {threshold}, {labels} and more"));
        }
        result.parts_.push_back({std::string(place), true});
        result.parts_.push_back({});
        at = end;
    }
    return result;
}

std::string MessageTemplate::fill(const Alert& alert) const {
    std::string out;
    for (const auto& part : parts_) out += part.is_place ? content(alert, part.text) : part.text;
    return out;
}

std::string format_number(double value) {
    if (std::isnan(value)) return "no value";
    char text[32];
    std::snprintf(text, sizeof text, "%.6g", value);
    return text;
}

std::string format_time(Time time) {
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss clock(time - day);
    char text[64];
    std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d", static_cast<int>(date.year()),
                  static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                  static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                  static_cast<int>(clock.seconds().count()));
    std::string out = text;
    if (clock.subseconds().count() != 0) {
        std::snprintf(text, sizeof text, ".%03d", static_cast<int>(clock.subseconds().count()));
        out += text;
    }
    return out + 'Z';
}

std::string format_duration(Duration duration) {
    const auto ms = duration.count();
    constexpr std::pair<std::int64_t, const char*> kShownUnits[] = {
        {86400000, "d"}, {3600000, "h"}, {60000, "m"}, {1000, "s"}};
    for (const auto& [unit, name] : kShownUnits) {
        if (ms != 0 && ms % unit == 0) return std::to_string(ms / unit) + name;
    }
    return ms == 0 ? "0s" : std::to_string(ms) + "ms";
}

}  // namespace sluice::models::rules
