// seeds.hpp: the command line of a simulation: runs it from one seed after the other, and says which failed.
#pragma once

#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <functional>
#include <iostream>
#include <string>

namespace sluice::test {

/// Of the run that goes on, for what ends the process: a broken invariant, a sanitizer.
inline std::array<char, 64> g_seed_line{};

inline void say_seed(int /*signal*/) {
    static_cast<void>(!::write(STDERR_FILENO, g_seed_line.data(), std::strlen(g_seed_line.data())));
}

/// @param simulate  throws what is wrong
inline int run_seeds(int argc, char** argv, std::uint64_t count,
                     const std::function<void(std::uint64_t seed, bool verbose)>& simulate) {
    std::signal(SIGABRT, say_seed);
    const std::string path = argv[0];
    const auto program = path.substr(path.rfind('/') + 1);
    std::uint64_t first = 1;
    bool verbose = false;
    for (int i = 1; i < argc; ++i) {
        const std::string argument = argv[i];
        const bool has_value = i + 1 < argc;
        if (argument == "--verbose") {
            verbose = true;
        } else if (argument == "--seeds" && has_value) {
            count = std::strtoull(argv[++i], nullptr, 10);
        } else if (argument == "--from" && has_value) {
            first = std::strtoull(argv[++i], nullptr, 10);
        } else if (argument == "--seed" && has_value) {
            first = std::strtoull(argv[++i], nullptr, 10);
            count = 1;
        } else {
            std::cerr << program << " [--seeds N] [--from N] | --seed N [--verbose]\n";
            return 2;
        }
    }
    std::uint64_t failed = 0;
    for (auto seed = first; seed < first + count; ++seed) {
        std::snprintf(g_seed_line.data(), g_seed_line.size(), "seed %llu\n", static_cast<unsigned long long>(seed));
        try {
            simulate(seed, verbose);
        } catch (const std::exception& error) {
            std::cout << "seed " << seed << ": " << error.what() << "  (again: " << program << " --seed " << seed
                      << " --verbose)" << std::endl;
            if (++failed == 10) break;
        }
    }
    std::cout << (count - failed) << " passed, " << failed << " failed\n";
    return failed == 0 ? 0 : 1;
}

}  // namespace sluice::test
