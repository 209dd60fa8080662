// The error of quantiles in windows with many values, as docs/rules.md states it.
#include "support.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <random>

using namespace sluice::models;
using namespace sluice::models::test;

namespace {

/// By how much the rank of `value` among `values` is off `q`, as a share; 0 where equal values cover q.
double rank_error(std::vector<double> values, double value, double q) {
    std::sort(values.begin(), values.end());
    const auto count = static_cast<double>(values.size());
    const float near = static_cast<float>(value);  // values were rounded to floats
    const auto below = std::lower_bound(values.begin(), values.end(), std::nextafter(near, -INFINITY)) - values.begin();
    const auto up_to = std::upper_bound(values.begin(), values.end(), std::nextafter(near, INFINITY)) - values.begin();
    const double low = static_cast<double>(below) / count;
    const double high = static_cast<double>(up_to) / count;
    return q < low ? low - q : q > high ? q - high : 0;
}

}  // namespace

TEST_CASE("quantile: of many values in a window the rank is off by 2.5 % at most, 2 % at the ends") {
    std::mt19937 random(7);
    std::normal_distribution<double> normal(70, 3);
    std::exponential_distribution<double> tail(0.01);
    const std::pair<const char*, std::function<double(int)>> series[] = {
        {"normal", [&](int) { return normal(random); }},
        {"heavy tail", [&](int) { return std::pow(tail(random), 3); }},
        {"rising", [](int i) { return double(i); }},
        {"falling", [](int i) { return -double(i); }},
        {"periodic", [](int i) { return std::sin(i * 0.01); }},
        {"two levels", [&](int) { return normal(random) > 71 ? 230.0 : 0.0; }},
    };
    const std::pair<double, double> bounds[] = {{0.01, 0.02}, {0.1, 0.025}, {0.5, 0.025}, {0.9, 0.025}, {0.99, 0.02}};
    for (const auto& one : series) {
        for (const auto& limit : bounds) {
            CAPTURE(one.first);
            CAPTURE(limit.first);
            Expression expression("quantile(x, " + std::to_string(limit.first) + ", 15m)");  // panes of one minute
            std::vector<double> values;
            double value = 0;
            for (int i = 0; i < 8990; ++i) {  // ten a second, just under the window
                values.push_back(one.second(i));
                value = expression.add(1'700'000'040 + i * 0.1, {{"x", values.back()}});
            }
            CHECK(rank_error(values, value, limit.first) <= limit.second);
        }
    }
}
