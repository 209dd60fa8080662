#include "models/nearest_name.hpp"

#include <algorithm>

namespace sluice::models {

namespace {

/// Letters to insert, delete, replace or swap with their neighbour ("optimal string alignment") to turn a into b.
std::size_t typing_errors(std::string_view a, std::string_view b) {
    std::vector<std::size_t> before_last(b.size() + 1);
    std::vector<std::size_t> last(b.size() + 1);
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        before_last.swap(last);
        last.swap(row);
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0U : 1U)});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = std::min(row[j], before_last[j - 2] + 1);
            }
        }
    }
    return row[b.size()];
}

}  // namespace

std::optional<std::string> nearest_name(std::string_view wrong, const std::vector<std::string>& known) {
    constexpr std::size_t kWorthComparing = 64;  // no key is as long; an attacker's key may be
    if (wrong.size() > kWorthComparing) return std::nullopt;
    std::optional<std::string> nearest;
    std::size_t errors_min = std::max<std::size_t>(1, wrong.size() / 3) + 1;
    for (const auto& name : known) {
        const auto errors = typing_errors(wrong, name);
        if (errors >= errors_min || errors >= name.size()) continue;
        errors_min = errors;
        nearest = name;
    }
    return nearest;
}

}  // namespace sluice::models
