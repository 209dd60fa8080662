// rule_report.hpp: what rules would have said: a time line of firings, sums for each rule, and whether that is what was
// expected.
//
// A line of an expectation is RULE DEVICE START END, as the time line prints it: times as RFC 3339, "-" for what fires
// still, a name with spaces in double quotes. Empty lines and what follows a # count for nothing.
#pragma once

#include "models/alert.hpp"
#include "storage/result.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace sluice::agent {

struct Firing {
    std::string rule;
    std::string device;
    models::Time start;
    std::optional<models::Time> end;  ///< nullopt: it fires still
    models::Time fired;               ///< start, and `for` later
    std::string message;              ///< of its beginning
    double value = 0;

    /// As a line of an expectation.
    [[nodiscard]] std::string line() const;
};

struct RuleSum {
    std::size_t fired = 0;
    std::size_t firing = 0;         ///< still
    models::Duration in_firing{0};  ///< from fired to end, or to the end of the data
};

class RuleReport {
 public:
    /// @param rules  all that there are, in their order
    explicit RuleReport(const std::vector<std::string>& rules);
    void add(const models::Alert& alert);
    /// In the order in which they fired.
    [[nodiscard]] const std::vector<Firing>& firings() const { return firings_; }
    [[nodiscard]] const std::vector<std::string>& rules() const { return rules_; }
    /// @param end  of the data
    [[nodiscard]] RuleSum sum(const std::string& rule, models::Time end) const;

 private:
    std::vector<std::string> rules_;
    std::vector<Firing> firings_;
    std::map<std::string, std::size_t> open_;  // by id, of firings_
};

/// Compares with an expectation, whatever the order of its lines.
/// @param text  of the file `path`
/// @return nothing where they agree; else a line for each difference: "-" what is missing, "+" what was not expected
[[nodiscard]] storage::Result<std::string> differences(const std::vector<Firing>& firings, const std::string& text,
                                                       const std::string& path);

}  // namespace sluice::agent
