// message.hpp: the text of an alert, with places to fill: "{device}: {value} {threshold}".
#pragma once

#include "models/alert.hpp"
#include "models/rules/diagnostic.hpp"

#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace sluice::models::rules {

class MessageTemplate {
 public:
    /// Places: {rule} {device} {severity} {value} {threshold} {condition} {window} {start} {labels} and {labels.NAME}
    /// of a label in `labels`. "{{" and "}}" are braces.
    static std::variant<MessageTemplate, Diagnostic> parse(std::string_view text, const Labels& labels);

    [[nodiscard]] std::string fill(const Alert& alert) const;

 private:
    struct Part {
        std::string text;
        bool is_place = false;
    };
    std::vector<Part> parts_;
};

/// Six digits, and no more than are needed: "80.5", "1.2e-07"; "no value" of NaN.
[[nodiscard]] std::string format_number(double value);
/// "2026-01-31T12:00:00.250Z", without the fraction where it is 0.
[[nodiscard]] std::string format_time(Time time);
/// In the largest unit that divides it: "5m", "90s".
[[nodiscard]] std::string format_duration(Duration duration);

}  // namespace sluice::models::rules
