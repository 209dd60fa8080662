// exposition.hpp: samples as Prometheus reads them: its text format 0.0.4, or OpenMetrics 1.0.
#pragma once

#include "agent/metrics/families.hpp"
#include "storage/duration_histogram.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace sluice::agent::metrics {

struct Sample {
    std::string label;  ///< the value of the family's label
    std::variant<double, std::uint64_t, storage::DurationHistogram::Reading> value;
};

/// The samples of families, in the order of the table. A family without a sample is not shown.
class Samples {
 public:
    /// @param family  a name of the table, whose label is given where it has one
    void add(std::string_view family, decltype(Sample::value) value, std::string label = {});
    void add_flag(std::string_view family, bool value, std::string label = {}) {
        add(family, static_cast<std::uint64_t>(value), std::move(label));
    }
    [[nodiscard]] const std::vector<Sample>* of(const Family& family) const;

 private:
    std::map<std::string_view, std::vector<Sample>> samples_;
};

enum class Format : std::uint8_t { text, openmetrics };

/// OpenMetrics where the client likes it at least as much as text (RFC 9110, section 12.5.1).
[[nodiscard]] Format chosen_format(std::string_view accept);
[[nodiscard]] std::string_view content_type(Format format);
[[nodiscard]] std::string expose(const Samples& samples, Format format);

}  // namespace sluice::agent::metrics
