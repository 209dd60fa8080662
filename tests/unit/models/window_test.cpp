// Windows and memories against the plain calculation over all values.
#include "support.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <numeric>
#include <random>

using namespace sluice::models;
using namespace sluice::models::test;

namespace {

struct Sample {
    double time;
    double value;
};
using Samples = std::vector<Sample>;

double mean_of(const Samples& s) {
    double sum = 0;
    for (const auto& x : s) sum += x.value;
    return sum / static_cast<double>(s.size());
}

double deviation_of(const Samples& s) {
    double squares = 0;
    for (const auto& x : s) squares += (x.value - mean_of(s)) * (x.value - mean_of(s));
    return std::sqrt(squares / static_cast<double>(s.size()));
}

double slope_of(const Samples& s) {
    double mean_time = 0;
    for (const auto& x : s) mean_time += x.time / static_cast<double>(s.size());
    double products = 0;
    double squares = 0;
    for (const auto& x : s) {
        products += (x.time - mean_time) * (x.value - mean_of(s));
        squares += (x.time - mean_time) * (x.time - mean_time);
    }
    return squares > 0 ? products / squares : std::nan("");
}

double quantile_of(const Samples& s, double q) {
    std::vector<double> values;
    for (const auto& x : s) values.push_back(x.value);
    std::sort(values.begin(), values.end());
    const double rank = q * static_cast<double>(values.size() - 1);
    const auto low = static_cast<std::size_t>(rank);
    const auto high = std::min(low + 1, values.size() - 1);
    return values[low] + (values[high] - values[low]) * (rank - std::floor(rank));
}

double extreme_of(const Samples& s, double sign) {
    double best = -std::numeric_limits<double>::infinity();
    for (const auto& x : s) best = std::max(best, sign * x.value);
    return sign * best;
}

double gathered_of(const Samples& s, const std::function<double(double, double)>& step) {
    double all = 0;
    for (std::size_t i = 1; i < s.size(); ++i) all += step(s[i - 1].value, s[i].value);
    return all;
}

double counter_step(double from, double to) {
    return to >= from ? to - from : to;
}

struct Case {
    const char* function;  // up to the window
    std::function<double(const Samples&)> exact;
};

const std::vector<Case>& cases() {
    static const std::vector<Case> all{
        {"avg(x, ", mean_of},
        {"sum(x, ", [](const Samples& s) { return mean_of(s) * static_cast<double>(s.size()); }},
        {"min(x, ", [](const Samples& s) { return extreme_of(s, -1); }},
        {"max(x, ", [](const Samples& s) { return extreme_of(s, 1); }},
        {"stddev(x, ", deviation_of},
        {"slope(x, ", slope_of},
        {"median(x, ", [](const Samples& s) { return quantile_of(s, 0.5); }},
        {"quantile(x, 0.9, ", [](const Samples& s) { return quantile_of(s, 0.9); }},
        {"delta(x, ", [](const Samples& s) { return s.back().value - s.front().value; }},
        {"changes(x, ",
         [](const Samples& s) { return gathered_of(s, [](double a, double b) { return a == b ? 0.0 : 1.0; }); }},
        {"rate(x, ",
         [](const Samples& s) {
             return s.size() < 2 ? std::nan("") : gathered_of(s, counter_step) / (s.back().time - s.front().time);
         }},
    };
    return all;
}

void expect_equal(double value, double exact, double tolerance = 1e-5) {
    if (std::isnan(exact)) {
        CHECK(std::isnan(value));
    } else {
        CHECK(value == doctest::Approx(exact).epsilon(tolerance));
    }
}

Samples random_walk(unsigned seed, std::size_t count, double interval) {
    std::mt19937 random(seed);
    std::normal_distribution<double> step(0, 1);
    Samples all;
    double value = 50;
    for (std::size_t i = 0; i < count; ++i) {
        value = std::round((value + step(random)) * 2) / 2;  // halves, so that some neighbours are equal
        all.push_back({1'700'000'000 + interval * static_cast<double>(i), value});
    }
    return all;
}

}  // namespace

TEST_CASE("windows: a device that reports at most once a pane gets exact windows over time") {
    const auto samples = random_walk(1, 300, 25);
    for (const auto& c : cases()) {
        Expression expression(c.function + std::string("5m) + 0"));  // 12 values; panes of 9.7 s, of quantiles 20 s
        CAPTURE(c.function);
        for (std::size_t i = 0; i < samples.size(); ++i) {
            if (i >= 100 && i < 110) continue;  // a gap of nearly the window
            const double value = expression.add(samples[i].time, {{"x", samples[i].value}});
            Samples window;
            for (std::size_t k = 0; k <= i; ++k) {
                if (k >= 100 && k < 110) continue;
                if (samples[k].time > samples[i].time - 300) window.push_back(samples[k]);
            }
            expect_equal(value, c.exact(window));
        }
    }
}

TEST_CASE("windows: a fast device's window holds its length, and a 31st part more at most") {
    const auto samples = random_walk(2, 5000, 0.5);
    Expression count("count(x, 5m)");
    Expression greatest("max(x, 5m)");
    for (std::size_t i = 0; i < samples.size(); ++i) {
        const double values = count.add(samples[i].time, {{"x", samples[i].value}});
        const double most = greatest.add(samples[i].time, {{"x", samples[i].value}});
        const auto within = [&](double seconds) {
            return std::min<std::size_t>(i + 1, static_cast<std::size_t>(seconds * 2));
        };
        CHECK(values >= static_cast<double>(within(300)));
        CHECK(values <= static_cast<double>(within(300 * 32.0 / 31 + 0.5)));
        const Samples inner(samples.begin() + static_cast<std::ptrdiff_t>(i + 1 - within(300)),
                            samples.begin() + static_cast<std::ptrdiff_t>(i + 1));
        CHECK(most >= extreme_of(inner, 1));
    }
}

TEST_CASE("windows: over the last N values they are exact") {
    const auto samples = random_walk(3, 200, 1.5);
    for (const auto& c : cases()) {
        Expression expression(c.function + std::string("20) + 0"));
        CAPTURE(c.function);
        for (std::size_t i = 0; i < samples.size(); ++i) {
            const double value = expression.add(samples[i].time, {{"x", samples[i].value}});
            const auto from = samples.begin() + static_cast<std::ptrdiff_t>(i + 1 - std::min<std::size_t>(i + 1, 20));
            expect_equal(value, c.exact(Samples(from, samples.begin() + static_cast<std::ptrdiff_t>(i + 1))));
        }
    }
}

TEST_CASE("windows: the order in which records come makes no difference to those over time") {
    for (const char* text :
         {"avg(x, 5m)", "max(x, 5m)", "stddev(x, 5m)", "slope(x, 5m)", "delta(x, 5m)", "changes(x, 5m)"}) {
        CAPTURE(text);
        auto samples = random_walk(4, 30, 11);
        Expression in_order(text);
        double expected = 0;
        for (const auto& s : samples) expected = in_order.add(s.time, {{"x", s.value}});
        std::shuffle(samples.begin(), samples.end() - 1, std::mt19937(5));  // the newest comes last
        Expression shuffled(text);
        double value = 0;
        for (const auto& s : samples) value = shuffled.add(s.time, {{"x", s.value}});
        expect_equal(value, expected);
    }
}

TEST_CASE("windows: time empties them without records") {
    struct Empty {
        const char* text;
        double value;  // NaN: none
    };
    const Empty empties[] = {{"avg(x, 1m)", std::nan("")},
                             {"min(x, 1m)", std::nan("")},
                             {"sum(x, 1m)", 0},
                             {"count(x, 1m)", 0},
                             {"stddev(x, 1m)", std::nan("")},
                             {"slope(x, 1m)", std::nan("")},
                             {"median(x, 1m)", std::nan("")},
                             {"rate(x, 1m)", std::nan("")},
                             {"delta(x, 1m)", std::nan("")},
                             {"changes(x, 1m)", 0}};
    for (const auto& c : empties) {
        CAPTURE(c.text);
        Expression expression(c.text);
        expect_equal(expression.wait(1000), c.value);
        for (int i = 0; i < 10; ++i) expression.add(2000 + i, {{"x", double(i)}});
        CHECK_FALSE(std::isnan(expression.wait(2068.9)));
        expect_equal(expression.wait(2069), c.value);
        expect_equal(expression.wait(1e9), c.value);
    }
}

TEST_CASE("windows: a large offset doesn't cost the small differences") {
    Expression spread("stddev(x, 5m)");
    Expression trend("slope(x, 5m) * 1s");
    double deviation = 0;
    double slope = 0;
    for (int i = 0; i < 600; ++i) {
        const Fields record{{"x", 1e9 + 0.5 * i}};
        deviation = spread.add(1'700'000'000 + i * 0.5, record);
        slope = trend.add(1'700'000'000 + i * 0.5, record);
    }
    CHECK(deviation == doctest::Approx(0.5 * 600 / std::sqrt(12)).epsilon(1e-4));
    CHECK(slope == doctest::Approx(1).epsilon(1e-5));
}

TEST_CASE("windows: a record without the field leaves them as they are, and so does one that `when` drops") {
    Expression plain("avg(x, 5m)");
    plain.add(1000, {{"x", 4.0}});
    CHECK(plain.add(1001, {{"y", 1.0}}) == 4);
    CHECK(plain.add(1002, {{"x", std::string("off")}}) == 4);
    Expression filtered("avg(when(on, x), 5m)");
    filtered.add(1000, {{"x", 4.0}, {"on", true}});
    CHECK(filtered.add(1001, {{"x", 400.0}, {"on", false}}) == 4);
}

TEST_CASE("windows: they are fed though `and`, `or` and `if` would skip them, and nest") {
    Expression skipped("false and avg(x, 5m) > 1 or avg(x, 5m) == 2");
    skipped.add(1000, {{"x", 1.0}});
    CHECK(skipped.add(1001, {{"x", 3.0}}) == 1);
    CHECK(skipped.program().values() == 1);  // what is written twice is there once
    Expression nested("max(avg(x, 2), 1h)");
    nested.add(1000, {{"x", 2.0}});
    nested.add(1001, {{"x", 4.0}});
    CHECK(nested.add(1002, {{"x", 0.0}}) == 3);
}

TEST_CASE("memory: last, previous, ewma, hysteresis, lasting, changes of texts") {
    Expression last("last(x)");
    last.add(1000, {{"x", 1.0}});
    CHECK(last.add(1001, {{"y", 1.0}}) == 1);
    last.add(1003, {{"x", 3.0}});
    CHECK(last.add(1002, {{"x", 2.0}}) == 3);  // the newest by its time

    Expression previous("previous(x)");
    CHECK(std::isnan(previous.add(1000, {{"x", 1.0}})));
    CHECK(previous.add(1001, {{"x", 2.0}}) == 1);

    Expression mean("ewma(x, 10s)");
    mean.add(1000, {{"x", 0.0}});
    CHECK(mean.add(1010, {{"x", 1.0}}) == doctest::Approx(1 - std::exp(-1.0)));

    Expression up("hysteresis(x, 80, 75)");
    const std::pair<double, double> rising[] = {{79, 0}, {81, 1}, {76, 1}, {75, 1}, {74, 0}, {79, 0}};
    double time = 1000;
    for (const auto& [x, expected] : rising) CHECK(up.add(++time, {{"x", x}}) == expected);
    Expression down("hysteresis(x, 2, 3)");
    const std::pair<double, double> falling[] = {{2.5, 0}, {1.9, 1}, {2.5, 1}, {3.1, 0}};
    for (const auto& [x, expected] : falling) CHECK(down.add(++time, {{"x", x}}) == expected);

    Expression lasting("lasting(on) / 1s");
    CHECK(lasting.add(1000, {{"on", false}}) == 0);
    CHECK(lasting.add(1010, {{"on", true}}) == 0);
    CHECK(lasting.add(1030, {{"on", true}}) == 20);
    CHECK(lasting.wait(1040) == 30);
    CHECK(lasting.add(1050, {{"on", false}}) == 0);

    Expression changes("changes(state, 1m)");
    changes.add(1000, {{"state", std::string("RUN")}});
    changes.add(1001, {{"state", std::string("STOP")}});
    changes.add(1002, {{"state", std::string("STOP")}});
    CHECK(changes.add(1003, {{"state", std::string("RUN")}}) == 2);
}

TEST_CASE("memory: silence and absence begin after the length, to the millisecond, and end with a record") {
    Expression silence("silence(10s)");
    CHECK(silence.add(1000, {}) == 0);
    CHECK(silence.wait(1009.999) == 0);
    CHECK(silence.wait(1010) == 1);
    CHECK(silence.add(1011, {}) == 0);
    CHECK(silence.program().next_change(silence.state(), at(1011)) == at(1021));
    CHECK(silence.program().next_change(silence.state(), at(1021)) == kNever);

    Expression absent("absent(x, 10s)");
    absent.add(1000, {{"x", 1.0}});
    CHECK(absent.add(1009, {{"y", 1.0}}) == 0);
    CHECK(absent.add(1010, {{"y", 1.0}}) == 1);
}

TEST_CASE("rate: a counter that starts anew loses nothing but what it counted before we saw it") {
    Expression rate("rate(x, 5m) * 1s");
    double value = 0;
    const double counts[] = {100, 110, 120, 5, 15};  // 10 a step; the device restarted and counted to 5
    for (int i = 0; i < 5; ++i) value = rate.add(1000 + 10 * i, {{"x", counts[i]}});
    CHECK(value == doctest::Approx((10 + 10 + 5 + 10) / 40.0));
}

TEST_CASE("state: the size of each window is known, and small") {
    const std::pair<const char*, std::size_t> sizes[] = {
        {"avg(x, 1h)", 544},   {"max(x, 1h)", 536},     {"stddev(x, 1h)", 808},      {"slope(x, 1h)", 1088},
        {"rate(x, 1h)", 1344}, {"median(x, 1h)", 2712}, {"avg(x, 20)", 168},         {"slope(x, 20)", 328},
        {"last(x)", 16},       {"ewma(x, 1h)", 16},     {"hysteresis(x, 2, 1)", 16}, {"silence(1h)", 8},
    };
    for (const auto& size : sizes) {
        CAPTURE(size.first);
        CHECK(Expression(size.first).program().state_bytes() == size.second);
    }
}
