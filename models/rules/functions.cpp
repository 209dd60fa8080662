#include "models/rules/functions.hpp"

#include "models/learned/learned.hpp"
#include "models/rules/message.hpp"
#include "models/windows/memories.hpp"
#include "models/windows/windows.hpp"

#include <algorithm>
#include <cmath>

namespace sluice::models::rules {

namespace {

using Kind = Parameter::Kind;
using Result = FunctionSpec::Result;

Duration to_duration(double seconds) {
    return Duration(std::llround(seconds * 1000));
}

/// The window is the last constant; a quantile is before it.
template <Aggregate kAggregate>
Function make_window(std::span<const Constant> constants) {
    const auto& window = constants.back();
    const double quantile = constants.size() > 1 ? constants.front().value : 0.5;
    return window.is_count ? count_window(kAggregate, static_cast<std::size_t>(window.value), quantile)
                           : time_window(kAggregate, to_duration(window.value), quantile);
}

constexpr std::string_view kWindows = "Windows";
constexpr std::string_view kMemory = "Memory";
constexpr std::string_view kLearned = "Learned";
constexpr std::string_view kSilence = "Silence";
constexpr std::string_view kChoice = "Choice and missing values";
constexpr std::string_view kNumbers = "Numbers";
constexpr std::string_view kTexts = "Texts";
constexpr std::string_view kArrays = "Arrays";
constexpr std::string_view kRecord = "The record";

const Parameter kX{"x", Kind::number};
const Parameter kPlain{"x", Kind::plain};
const Parameter kWindow{"window", Kind::window};
const Parameter kTime{"window", Kind::duration};
const Parameter kText{"text", Kind::text};
const Parameter kArray{"array", Kind::numbers};

void add_windows(std::vector<FunctionSpec>& all) {
    const auto add = [&](std::string_view name, std::vector<Parameter> parameters, Result result, Make make,
                         std::string_view doc, std::string_view example) {
        all.push_back({name, kWindows, std::move(parameters), result, doc, example, Opcode::none, make});
    };
    add("avg", {kX, kWindow}, Result::same, make_window<Aggregate::avg>, "The mean.", "avg(temperature, 5m) > 80");
    add("min", {kX, kWindow}, Result::same, make_window<Aggregate::min>, "The least value.", "min(pressure, 20) < 1.5");
    add("max", {kX, kWindow}, Result::same, make_window<Aggregate::max>, "The greatest value.",
        "max(temperature, 1h) - min(temperature, 1h) > 15");
    add("sum", {kX, kWindow}, Result::same, make_window<Aggregate::sum>, "The sum; 0 of no values.",
        "sum(litres, 1h) > 500");
    add("count", {{"x", Kind::any_field}, kTime}, Result::number, make_window<Aggregate::count>,
        "How many records had the field; 0 of none.", "count(temperature, 1m) < 6");
    add("stddev", {kX, kWindow}, Result::same, make_window<Aggregate::stddev>,
        "The standard deviation of all values (not the estimate from a sample).", "stddev(current, 10m) < 0.01");
    add("median", {kX, kWindow}, Result::same, make_window<Aggregate::quantile>,
        "The middle value, which outliers don't move.", "abs(level - median(level, 1h)) > 0.3");
    add("quantile", {kX, {"q", Kind::share}, kWindow}, Result::same, make_window<Aggregate::quantile>,
        "The value that the share q of all values is below; between two values as numpy's default.",
        "quantile(latency, 99%, 10m) > 250");
    add("delta", {kX, kWindow}, Result::same, make_window<Aggregate::delta>, "The newest value less the oldest.",
        "delta(level, 1h) < -10%");
    add("rate", {kX, kWindow}, Result::per_second, make_window<Aggregate::rate>,
        "How fast a counter rises: what it grew by, over the time between the first and the last value. Where it falls "
        "it "
        "was started anew from 0.",
        "rate(pulses, 10m) > 100/1m");
    add("slope", {kX, kWindow}, Result::per_second, make_window<Aggregate::slope>,
        "How fast a value changes: of the straight line that fits best (least squares).",
        "slope(temperature, 30m) > 0.5/1h");
    add("changes", {{"x", Kind::any_field}, kWindow}, Result::number, make_window<Aggregate::changes>,
        "How often the field was not what it was before: a number, boolean or text.", "changes(state, 10m) > 20");
}

void add_memory(std::vector<FunctionSpec>& all) {
    const auto add = [&](std::string_view name, std::vector<Parameter> parameters, Result result, Make make,
                         std::string_view doc, std::string_view example) {
        all.push_back({name, kMemory, std::move(parameters), result, doc, example, Opcode::none, make});
    };
    add(
        "last", {kX}, Result::same, [](std::span<const Constant>) { return last_value(); },
        "The newest value, also where this record has none: devices may send their fields in different records.",
        "last(valve) == 0 and flow > 0.1");
    add(
        "previous", {kX}, Result::same, [](std::span<const Constant>) { return previous_value(); },
        "The value before the newest.", "temperature - previous(temperature) > 5");
    add(
        "ewma", {kX, {"memory", Kind::duration}}, Result::same,
        [](std::span<const Constant> c) { return ewma(to_duration(c[0].value)); },
        "A mean in which a value counts less the older it is: 37 % at the age of `memory`, whatever the sampling.",
        "abs(vibration - ewma(vibration, 1h)) > 2");
    add(
        "hysteresis", {kX, {"on", Kind::limit}, {"off", Kind::limit}}, Result::boolean,
        [](std::span<const Constant> c) { return hysteresis(c[0].value, c[1].value); },
        "True from where x passes `on` until it passes `off`: upwards where on is the greater, else downwards.",
        "hysteresis(temperature, 80, 75)");
    add(
        "lasting", {{"condition", Kind::boolean}}, Result::seconds, [](std::span<const Constant>) { return lasting(); },
        "For how long the condition has been true; 0 while it is false.", "lasting(running) > 8h");
}

void add_learned(std::vector<FunctionSpec>& all) {
    const auto add = [&](std::string_view name, std::vector<Parameter> parameters, Result result, Make make,
                         std::string_view doc, std::string_view example) {
        all.push_back({name, kLearned, std::move(parameters), result, doc, example, Opcode::none, make});
    };
    add(
        "anomaly", {kX, {"method", Kind::word, 0, kAnomalyMethods}}, Result::number,
        [](std::span<const Constant> c) { return anomaly(static_cast<std::size_t>(c[0].value)); },
        "How strange the newest value is after those before it, 0 to 1; 0.99 is what every method means by an anomaly "
        "([which method](detectors.md)).",
        "anomaly(vibration, method='drift') > 0.99");
    add(
        "life",
        {kX, {"limit", Kind::limit}, {"bound", Kind::word, 0, kLifeBounds}, {"memory", Kind::duration, 7 * 86400.0}},
        Result::seconds,
        [](std::span<const Constant> c) { return life(c[0].value, static_cast<std::size_t>(c[1].value), c[2].value); },
        "The time until the trend of x crosses the limit, endless where it won't; `low` and `high` are the ends of an "
        "interval of 90 %. A value of the age `memory` counts for a third.",
        "life(temperature, limit=95) < 24h");
    all.push_back({"remaining",
                   kLearned,
                   {{"model", Kind::model}, {"bound", Kind::word, 0, kLifeBounds}},
                   Result::number,
                   "How many records are left until the device fails, as a model says that was learned from others "
                   "which failed ([how](detectors.md)). A record counts that has all fields that the model knows, by "
                   "the names of its columns; there is no value before the 21st. `[rules] models` names the models; "
                   "`low` and `high` are the ends of an interval of 90 %.",
                   "remaining(model='pump') < 20",
                   Opcode::none,
                   nullptr,
                   [](const std::shared_ptr<const LifeModel>& model, std::span<const Constant> c) {
                       return remaining(model, static_cast<std::size_t>(c[0].value));
                   }});
    add(
        "spectrum",
        {kArray,
         {"feature", Kind::word, {}, kSpectrumFeatures},
         {"rate", Kind::constant, 0},
         {"low", Kind::constant, 0},
         {"high", Kind::constant, 0},
         {"hz", Kind::constant, 0}},
        Result::number,
        [](std::span<const Constant> c) {
            return spectrum({static_cast<std::size_t>(c[0].value), c[1].value, c[2].value, c[3].value, c[4].value});
        },
        "What an array of 16 vibration samples or more tells: `rms`, `peak`, `crest_factor`, `kurtosis`; with the "
        "sample "
        "`rate`, in Hz, `band_rms` from `low` to `high`, `peak_frequency`, and `defect_level`: how far the bearing's "
        "defect "
        "frequency `hz` stands out of the envelope of that band.",
        "spectrum(samples, 'kurtosis') > 6");
}

void add_silence(std::vector<FunctionSpec>& all) {
    const auto make = [](std::span<const Constant> c) { return absent(to_duration(c[0].value)); };
    all.push_back({"silence",
                   kSilence,
                   {{"length", Kind::duration}},
                   Result::boolean,
                   "True when no record of the device came for so long. It turns true by time alone.",
                   "silence(10m)",
                   Opcode::none,
                   make});
    all.push_back({"absent",
                   kSilence,
                   {{"x", Kind::any_field}, {"length", Kind::duration}},
                   Result::boolean,
                   "True when no record of the device had the field for so long. It turns true by time alone.",
                   "absent(temperature, 10m)",
                   Opcode::none,
                   make});
}

void add_choice(std::vector<FunctionSpec>& all) {
    const Parameter condition{"condition", Kind::boolean};
    all.push_back({"if",
                   kChoice,
                   {condition, {"a", Kind::branch}, {"b", Kind::branch}},
                   Result::branch,
                   "a where the condition is true, b where it is false.",
                   "temperature > if(running, 80, 50)",
                   Opcode::if_else});
    all.push_back({"when",
                   kChoice,
                   {condition, {"a", Kind::branch}},
                   Result::branch,
                   "a where the condition is true, else no value: a window then skips the record.",
                   "avg(when(running, temperature), 5m) > 80",
                   Opcode::when});
    all.push_back({"default",
                   kChoice,
                   {{"a", Kind::branch}, {"b", Kind::branch}},
                   Result::branch,
                   "a, or b where a has no value.",
                   "default(load, 0) < 10%",
                   Opcode::or_default});
    all.push_back({"has",
                   kChoice,
                   {{"field", Kind::any_field}},
                   Result::boolean,
                   "Whether this record has the field.",
                   "has(error_code)",
                   Opcode::has});
}

void add_numbers(std::vector<FunctionSpec>& all) {
    const auto add = [&](std::string_view name, std::vector<Parameter> parameters, Result result, Opcode opcode,
                         std::string_view doc, std::string_view example) {
        all.push_back({name, kNumbers, std::move(parameters), result, doc, example, opcode});
    };
    const Parameter same{"y", Kind::same};
    add("abs", {kX}, Result::same, Opcode::abs, "The value without its sign.", "abs(setpoint - temperature) > 5");
    add("sign", {kX}, Result::number, Opcode::sign, "-1, 0 or 1.", "sign(power) < 0");
    add("least", {kX, same}, Result::same, Opcode::least, "The lesser of two.", "least(inlet, outlet) < 4");
    add("greatest", {kX, same}, Result::same, Opcode::greatest, "The greater of two.", "greatest(inlet, outlet) > 90");
    add("clamp", {kX, {"low", Kind::same}, {"high", Kind::same}}, Result::same, Opcode::clamp,
        "x, but not under low and not over high.", "avg(clamp(humidity, 0, 100), 1h) > 90");
    add("floor", {kPlain}, Result::number, Opcode::floor, "The next whole number below.", "floor(code / 100) == 5");
    add("ceil", {kPlain}, Result::number, Opcode::ceil, "The next whole number above.", "ceil(load) > 3");
    add("round", {kPlain}, Result::number, Opcode::round, "The nearest whole number; halves away from 0.",
        "round(phase) == 3");
    add("sqrt", {kPlain}, Result::number, Opcode::sqrt, "The square root; no value below 0.",
        "sqrt(x * x + y * y) > 12");
    add("pow", {kPlain, {"y", Kind::plain}}, Result::number, Opcode::pow, "x to the power y.", "pow(speed, 3) > 1000");
    add("exp", {kPlain}, Result::number, Opcode::exp, "e to the power x.", "exp(-1 / load) > 0.5");
    add("ln", {kPlain}, Result::number, Opcode::ln, "The natural logarithm; no value at 0 and below.", "ln(ratio) > 2");
    add("log10", {kPlain}, Result::number, Opcode::log10, "The logarithm to base 10.", "20 * log10(amplitude) > 90");
}

void add_texts_and_arrays(std::vector<FunctionSpec>& all) {
    const auto add = [&](std::string_view name, std::string_view group, std::vector<Parameter> parameters,
                         Result result, Opcode opcode, std::string_view doc, std::string_view example) {
        all.push_back({name, group, std::move(parameters), result, doc, example, opcode});
    };
    const Parameter part{"part", Kind::text};
    add("contains", kTexts, {kText, part}, Result::boolean, Opcode::contains,
        "Whether the part is somewhere in the text.", "contains(message, 'overload')");
    add("starts_with", kTexts, {kText, part}, Result::boolean, Opcode::starts_with,
        "Whether the text begins with the part.", "starts_with(state, 'FAULT')");
    add("ends_with", kTexts, {kText, part}, Result::boolean, Opcode::ends_with, "Whether the text ends with the part.",
        "ends_with(state, '_STOP')");
    add("text_length", kTexts, {kText}, Result::number, Opcode::text_length, "How many bytes the text has.",
        "text_length(serial) != 12");
    add("length", kArrays, {kArray}, Result::number, Opcode::numbers_length, "How many numbers the array has.",
        "length(samples) < 1024");
    add("mean", kArrays, {kArray}, Result::number, Opcode::mean, "The mean of the array.",
        "avg(mean(samples), 1h) > 0.2");
    add("rms", kArrays, {kArray}, Result::number, Opcode::rms, "The root of the mean square.", "rms(samples) > 4.5");
    add("peak", kArrays, {kArray}, Result::number, Opcode::peak, "The greatest absolute value.",
        "peak(samples) / rms(samples) > 5");
}

void add_record(std::vector<FunctionSpec>& all) {
    const auto add = [&](std::string_view name, Result result, Opcode opcode, std::string_view doc,
                         std::string_view example) {
        all.push_back({name, kRecord, {}, result, doc, example, opcode});
    };
    add("device", Result::text, Opcode::device, "The device: the record's key, or what `by` makes of it.",
        "device() =~ 'pump-*' and temperature > 70");
    add("hour", Result::number, Opcode::hour, "The hour of the record's time, 0 to 23, UTC.",
        "flow > 0.1 and (hour() < 5 or hour() >= 22)");
    add("weekday", Result::number, Opcode::weekday, "The day of the record's time, 1 (Monday) to 7, UTC.",
        "flow > 0.1 and weekday() >= 6");
    add("age", Result::seconds, Opcode::age, "How long after its time the record arrived.", "avg(age(), 10m) > 1m");
}

std::string kind_name(Kind kind) {
    switch (kind) {
        case Kind::number:
            return "number";
        case Kind::plain:
            return "plain number";
        case Kind::same:
            return "as x";
        case Kind::boolean:
            return "boolean";
        case Kind::text:
            return "text";
        case Kind::numbers:
            return "array of numbers";
        case Kind::any_field:
            return "field";
        case Kind::branch:
            return "any";
        case Kind::limit:
            return "constant";
        case Kind::share:
            return "constant from 0 to 1";
        case Kind::duration:
            return "time";
        case Kind::window:
            return "time or count";
        case Kind::constant:
            return "constant";
        case Kind::word:
            return "word";
        case Kind::model:
            return "name of a model";
    }
    return "";
}

std::string result_name(const FunctionSpec& function) {
    switch (function.result) {
        case Result::number:
            return "number";
        case Result::seconds:
            return "time";
        case Result::same:
            return "as x";
        case Result::per_second:
            return "x per time";
        case Result::boolean:
            return "boolean";
        case Result::text:
            return "text";
        case Result::branch:
            return "as a";
    }
    return "";
}

}  // namespace

const std::vector<FunctionSpec>& functions() {
    static const auto all = [] {
        std::vector<FunctionSpec> table;
        add_windows(table);
        add_memory(table);
        add_learned(table);
        add_silence(table);
        add_choice(table);
        add_numbers(table);
        add_texts_and_arrays(table);
        add_record(table);
        return table;
    }();
    return all;
}

const FunctionSpec* find_function(std::string_view name) {
    const auto& all = functions();
    const auto at = std::find_if(all.begin(), all.end(), [&](const auto& function) { return function.name == name; });
    return at == all.end() ? nullptr : &*at;
}

std::string signature(const FunctionSpec& function) {
    std::string out = std::string(function.name) + "(";
    for (const auto& parameter : function.parameters) {
        if (&parameter != &function.parameters.front()) out += ", ";
        out += std::string(parameter.name) + ": " + kind_name(parameter.kind);
        if (!parameter.fallback) continue;
        if (parameter.kind == Kind::word)
            out += " = '" + std::string(parameter.words[static_cast<std::size_t>(*parameter.fallback)]) + "'";
        else if (parameter.kind == Kind::duration)
            out += " = " + format_duration(to_duration(*parameter.fallback));
        else
            out += " = " + format_number(*parameter.fallback);
    }
    return out + ") -> " + result_name(function);
}

}  // namespace sluice::models::rules
