// config_diagnostic.hpp: what is wrong with a configuration, where, and what to do about it.
//
// Faults are collected, not returned one by one: a person who mends a file wants to see all of them at once.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::agent {

/// Where a key or value stands. `source` is a file, or the option it came from ("--set agent.id").
struct Place {
    std::string source;
    std::uint32_t line = 0;    ///< from 1; 0: the source as a whole
    std::uint32_t column = 0;  ///< from 1, in characters
};

/// "sluice.toml:3:5", or "sluice.toml" for the source as a whole.
[[nodiscard]] std::string to_string(const Place& place);

struct Diagnostic {
    Place place;
    std::string what;
    std::string todo;  ///< may be empty
};

/// "sluice.toml:3:5: what is wrong (what to do)"
[[nodiscard]] std::string to_string(const Diagnostic& diagnostic);

class Diagnostics {
 public:
    void error(const Place& place, std::string what, std::string todo = {});
    void warning(const Place& place, std::string what, std::string todo = {});

    [[nodiscard]] bool has_errors() const { return !errors_.empty(); }
    /// In the order of their places; each source's together, in the order in which the sources were first named.
    [[nodiscard]] std::vector<Diagnostic> errors() const;
    [[nodiscard]] std::vector<Diagnostic> warnings() const;

 private:
    std::vector<Diagnostic> errors_;
    std::vector<Diagnostic> warnings_;
};

/// `text` in double quotes, with control characters, quotes and backslashes escaped: it may be anything.
[[nodiscard]] std::string in_quotes(std::string_view text);

}  // namespace sluice::agent
