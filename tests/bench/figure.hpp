// figure.hpp: how the programs of ./dev bench say what they measured: one line a figure, tab-separated: name, value,
// unit, baseline, ratio, goal, whether it holds.
#pragma once

#include "storage/result.hpp"

#include <cstdlib>
#include <iostream>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace sluice::bench {

struct Figure {
    std::string name;
    double value;
    std::string unit;
    std::optional<double> baseline;
    std::optional<double> ratio;
    std::string goal;
    std::optional<bool> holds;
};

inline void say(const Figure& figure) {
    std::cout << figure.name << '\t' << figure.value << '\t' << figure.unit << '\t';
    if (figure.baseline) std::cout << *figure.baseline;
    std::cout << '\t';
    if (figure.ratio) std::cout << *figure.ratio;
    std::cout << '\t' << figure.goal << '\t';
    if (figure.holds) std::cout << (*figure.holds ? "yes" : "no");
    std::cout << std::endl;
}

/// Unwraps a result, ending the program with its message where it is an error.
template <class T>
T must(storage::Result<T> result) {
    if (!result) {
        std::cerr << result.error().message() << '\n';
        std::exit(1);
    }
    if constexpr (!std::is_void_v<T>) return std::move(*result);
}

}  // namespace sluice::bench
