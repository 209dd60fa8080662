// Expressions without memory: values, missing values, types and what is said about mistakes.
#include "models/rules/evaluator.hpp"
#include "models/rules/functions.hpp"
#include "support.hpp"
#include "tests/unit/models/life_fleet.hpp"

#include <doctest/doctest.h>

using namespace sluice::models;
using namespace sluice::models::test;

namespace {

const Fields kRecord{{"temperature", 81.5}, {"running", true},
                     {"stopped", false},    {"state", "FAULT_3"},
                     {"zero", 0.0},         {"samples", std::vector<double>{3, -4, 0}},
                     {"plc", 1.0},          {"empty", std::string()},
                     {"a/b", 7.0}};

constexpr double kNone = -12345;  // "no value", in the tables below

void check(std::string_view text, double expected) {
    CAPTURE(text);
    Expression expression(text);
    const double value = expression.add(1'700'000'000, kRecord);  // 2023-11-14 22:13:20, a Tuesday
    if (expected == kNone) {
        CHECK(std::isnan(value));
    } else {
        CHECK(value == doctest::Approx(expected));
    }
}

}  // namespace

TEST_CASE("expression: values") {
    const std::pair<const char*, double> cases[] = {
        {"1 + 2 * 3 - 4 / 2", 5},
        {"(1 + 2) * 3", 9},
        {"2 - 3 - 4", -5},  // from the left
        {"24 / 4 / 2", 3},
        {"-temperature", -81.5},
        {"--3", 3},
        {"80%", 0.8},
        {".5e1", 5},
        {"5m / 1s", 300},
        {"1h30m / 1m", 90},
        {"250ms / 1s", 0.25},
        {"0.5/1h * 1h", 0.5},
        {"temperature > 80", 1},
        {"temperature > 81.5", 0},
        {"temperature >= 81.5 and temperature <= 81.5", 1},
        {"not temperature > 80", 0},  // not binds weaker than a comparison
        {"true or false and false", 1},
        {"running and not stopped", 1},
        {"running == true", 1},
        {"running + 1", 2},   // a boolean is a number where one is needed
        {"plc and true", 1},  // and a number other than 0 is true
        {"state == 'FAULT_3'", 1},
        {"state != \"RUN\"", 1},
        {"state =~ 'FAULT_*'", 1},
        {"state !~ 'FAULT_?'", 0},
        {"contains(state, 'ULT')", 1},
        {"starts_with(state, 'ULT')", 0},
        {"ends_with(state, '3')", 1},
        {"text_length(empty)", 0},
        {"if(temperature > 80, 1, 2)", 1},
        {"if(stopped, 1, 2)", 2},
        {"if(running, state, 'x') == 'FAULT_3'", 1},
        {"default(nothing, 4)", 4},
        {"default(when(stopped, temperature), -1)", -1},
        {"has(state) and not has(nothing)", 1},
        {"abs(-3) + sign(-2) + least(1, 2) + greatest(1, 2)", 5},
        {"clamp(temperature, 0, 50)", 50},
        {"sqrt(16) + pow(2, 3) + floor(1.9) + ceil(1.1) + round(2.5)", 18},
        {"ln(exp(2)) + log10(1000)", 5},
        {"length(samples)", 3},
        {"rms(samples)", std::sqrt(25.0 / 3)},
        {"peak(samples)", 4},
        {"mean(samples)", -1.0 / 3},
        {"samples[1]", kNone},  // the decoder gives "/samples/1"; this record's table has it not
        {"`a/b`", kNone},       // "/a~1b", likewise
        {"device() =~ 'pump-*'", 1},
        {"hour()", 22},
        {"weekday()", 2},
        {"age() / 1s", 0},
        {"temperature # the rest is a remark", 81.5},
        {"temperature\n  > 80", 1},
    };
    for (const auto& [text, expected] : cases) check(text, expected);
}

TEST_CASE("expression: what isn't there has no value, and decides nothing") {
    const std::pair<const char*, double> cases[] = {
        {"nothing", kNone},
        {"nothing + 1", kNone},
        {"nothing > 80", kNone},
        {"nothing != 80", kNone},
        {"not nothing > 80", kNone},
        {"nothing == 'x'", kNone},
        {"nothing > 80 or temperature > 80", 1},   // the other side decides
        {"nothing > 80 and temperature < 80", 0},  // so does this
        {"nothing > 80 and temperature > 80", kNone},
        {"temperature > 80 and nothing > 80", kNone},
        {"nothing > 80 or temperature < 80", kNone},
        {"if(nothing > 1, 1, 2)", kNone},
        {"state > 80", kNone},  // a text is no number
        {"contains(temperature, '8')", kNone},
        {"temperature / zero", kNone},
        {"zero / zero", kNone},
        {"sqrt(-temperature)", kNone},
        {"ln(zero)", kNone},
        {"length(temperature)", kNone},
    };
    for (const auto& [text, expected] : cases) check(text, expected);
}

TEST_CASE("expression: a mistake is shown at its place, with what to do") {
    struct Case {
        const char* text;
        const char* shown;  // line:column: what (to do)
    };
    const Case cases[] = {
        {"", "1:1: there is no expression (write one, such as temperature > 80)"},
        {"temperature >", "1:14: expected a value and not the end (a number, a field, a function or \"(\")"},
        {"(a > 1", "1:7: expected \")\" and not the end (close what was opened)"},
        {"a > 1)", "1:6: there is no \"(\" that this closes (take it away)"},
        {"a = 1", "1:3: \"=\" sets nothing here (write == to compare)"},
        {"a > 1 b", "1:7: expected an operator before \"b\" (such as and, or, <, ==, +)"},
        {"1 < a < 3", "1:7: comparisons don't chain (write a < b and b < c)"},
        {"a > 5min", "1:6: \"min\" is no unit (ms, s, m, h, d and w follow a number, such as 5m or 1h30m)"},
        {"a == 'x", "1:6: the text has no end (close it with ')"},
        {"a.b. > 2",
         "1:6: expected a name after the point and not \">\" (other names are written in `backquotes`, places in "
         "arrays as [0])"},
        {"avgg(a, 5m) > 1", "1:1: there is no function \"avgg\" (did you mean \"avg\"?)"},
        {"avg(a) > 1", "1:1: \"avg\" takes 2 arguments and not 1 (avg(x: number, window: time or count) -> as x)"},
        {"slope(a, 1h) > 0.5", "1:1: this compares a change per time with a number (say per which time: 0.5/1h)"},
        {"uptime > 5m",
         "1:1: this compares a number with a time (give the number a unit, as in 5m, or make it a time with * 1s)"},
        {"a > 1 and\n  avg(b, 300s, 1) > 2",
         "2:3: \"avg\" takes 2 arguments and not 3 (avg(x: number, window: time or count) -> as x)"},
        {"a and a > 1", "1:7: \"a\" is a number here (it is true or false in 1:1)"},
        {"a + 1 and true",
         "1:1: \"and\" takes true or false and not a number (compare it with something, such as ... > 80)"},
        {"temperature + 1",
         "1:1: the expression is a number and not true or false (compare it with something, such as ... > 80)"},
        {"s == 'x' and s < 'y'", "1:14: \"s\" is a number here (it is a text in 1:1)"},
        {"'a' < 'y'", "1:1: \"<\" takes a number and not a text (texts have ==, != and =~)"},
        {"s =~ 'pump-.*'",
         "1:6: this looks like a regular expression, and a pattern has only * and ? (\"pump-*\"; or contains(), "
         "starts_with() and ends_with(), which take all signs as they are)"},
        {"avg(a, 1000) > 2", "1:8: a window of 1000 values (a whole number from 1 to 256, or a time such as 5m)"},
        {"avg(a, b) > 2", "1:8: \"window\" of avg() must be a constant (such as 5m)"},
        {"avg(a, 50ms) > 2", "1:8: 50ms is no length for a window (from 100ms to 366d)"},
        {"quantile(a, 99, 5m) > 2", "1:13: \"q\" of quantile() must be from 0 to 1 (such as 0.99 or 99%)"},
        {"count(a + 1, 5m) > 2", "1:7: \"count\" takes a field and nothing else (such as temperature)"},
        {"a > 1 / 0", "1:5: this has no value (it divides by 0 or is out of range)"},
        {"a > 1 % 2", "1:7: a percent sign without a number (write 80% without a blank)"},
        {"sqrt(5m) > 1", "1:6: \"x\" of sqrt() must be a number without a time in it (divide it by 1s)"},
        {"hysteresis(slope(a, 1h), 80, 75)",
         "1:26: \"on\" of hysteresis() is a number, x a change per time (say per which time: 0.5/1h)"},
        {"and > 1", "1:1: expected a value before \"and\" (a field of this name is written in `backquotes`)"},
        {"a ^ 2 > 1", "1:3: \"^\" is no operator (write pow(x, 2))"},
        {"température > 1",
         "1:5: unexpected \"é\" (a name with other signs than letters, digits and _ is written in `backquotes`)"},
    };
    for (const auto& c : cases) {
        CAPTURE(c.text);
        FieldTable table;
        const auto compiled = rules::compile(c.text, table, rules::Type::boolean);
        const auto* faults = std::get_if<rules::Diagnostics>(&compiled);
        REQUIRE(faults != nullptr);
        const auto shown = rules::render(faults->front(), c.text);
        CHECK(shown.substr(0, shown.find('\n')) == c.shown);
    }
}

TEST_CASE("expression: all mistakes of types are told at once, and underlined") {
    FieldTable table;
    const std::string text = "avgg(a, 5m) > 1 and\nslope(b, 1h) > 0.5";
    const auto compiled = rules::compile(text, table, rules::Type::boolean);
    const auto& faults = std::get<rules::Diagnostics>(compiled);
    REQUIRE(faults.size() == 2);
    CHECK(rules::render(faults[1], text) ==
          "2:1: this compares a change per time with a number (say per which time: 0.5/1h)\n"
          "    slope(b, 1h) > 0.5\n"
          "    ^~~~~~~~~~~~~~~~~~\n");
}

TEST_CASE("expression: depth, length and parts are bounded") {
    FieldTable table;
    const auto refused = [&](const std::string& text) {
        return std::holds_alternative<rules::Diagnostics>(rules::compile(text, table, {}));
    };
    CHECK(refused(std::string(1000, '(') + "1" + std::string(1000, ')')));
    CHECK(refused(std::string(1000, '-') + "1"));
    CHECK(refused("1" + std::string(5000, ' ')));
    std::string sum = "a";
    for (int i = 0; i < 400; ++i) sum += "+a";
    CHECK_FALSE(refused(sum));
    for (int i = 0; i < 400; ++i) sum += "+a";
    CHECK(refused(sum));
}

TEST_CASE("expression: paths become JSON pointers") {
    FieldTable table;
    CHECK(std::holds_alternative<rules::Program>(rules::compile(
        "motor.phases[2].current > 3 and `odd/na~me`.x > 1 and motor.phases[2].current < 9", table, {})));
    CHECK(table.paths() == std::vector<std::string>{"/motor/phases/2/current", "/odd~1na~0me/x"});
}

TEST_CASE("expression: the example of each function compiles, and each function says what it is") {
    for (const auto& function : rules::functions()) {
        CAPTURE(function.name);
        FieldTable table;
        const auto compiled = rules::compile(function.example, table, rules::Type::boolean, pump_model());
        if (const auto* faults = std::get_if<rules::Diagnostics>(&compiled)) {
            FAIL(rules::render(faults->front(), function.example));
        }
        CHECK(function.example.find(std::string(function.name) + "(") != std::string_view::npos);
        CHECK(function.doc.ends_with('.'));
    }
}

TEST_CASE("expression: a pattern of stars takes no time") {
    CHECK_FALSE(rules::glob_matches("*a*a*a*a*a*a*a*a*b", std::string(10'000, 'a')));
    CHECK(rules::glob_matches("*", ""));
    CHECK(rules::glob_matches("a*c", "abcbc"));
    CHECK_FALSE(rules::glob_matches("a?", "a"));
}
