#include "agent/metrics/exposition.hpp"

#include "agent/text.hpp"
#include "storage/assert.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace sluice::agent::metrics {

namespace {

using Reading = storage::DurationHistogram::Reading;

constexpr double kMicro = 1e6;
constexpr std::string_view kOpenMetrics = "application/openmetrics-text";

std::string escaped(std::string_view text, bool quotes) {
    std::string out;
    for (const char c : text) {
        if (c == '\\')
            out += "\\\\";
        else if (c == '\n')
            out += "\\n";
        else if (c == '"' && quotes)
            out += "\\\"";
        else
            out += c;
    }
    return out;
}

/// As OpenMetrics has the bounds of classes: always with a decimal point.
std::string bound(std::int64_t us) {
    std::array<char, 32> text{};
    const auto seconds = static_cast<double>(us) / kMicro;
    const auto end = std::to_chars(text.data(), text.data() + text.size(), seconds, std::chars_format::fixed).ptr;
    std::string all(text.data(), end);
    return all.find('.') == std::string::npos ? all + ".0" : all;
}

std::string trimmed(std::string_view text) {
    while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
    while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
    std::string lower(text);
    for (auto& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    return lower;
}

/// What the Accept header gives a type; -1: it doesn't name it.
double quality_of(std::string_view accept, std::string_view type) {
    double best = -1;
    while (!accept.empty()) {
        const auto comma = std::min(accept.find(','), accept.size());
        const auto item = accept.substr(0, comma);
        accept.remove_prefix(std::min(comma + 1, accept.size()));
        const auto semicolon = std::min(item.find(';'), item.size());
        if (trimmed(item.substr(0, semicolon)) != type) continue;
        const auto parameters = trimmed(item.substr(semicolon));
        const auto q = parameters.find("q=");
        best = std::max(best, q == std::string::npos ? 1.0 : std::strtod(parameters.c_str() + q + 2, nullptr));
    }
    return best;
}

class Writer {
 public:
    explicit Writer(Format format) : open_(format == Format::openmetrics) {}

    void write(const Family& family, const std::vector<Sample>& samples) {
        const bool counts = family.type == Type::counter;
        const std::string base(family.name);
        const auto total = counts ? base + "_total" : base;
        const auto& meta = open_ ? base : total;
        out_ += "# HELP " + meta + " " + escaped(family.help, open_) + "\n";
        out_ += "# TYPE " + meta + " " + std::string(to_string(family.type)) + "\n";
        if (open_ && !family.unit.empty()) out_ += "# UNIT " + meta + " " + std::string(family.unit) + "\n";
        for (const auto& sample : samples) {
            const auto label = family.label.empty()
                                   ? std::string()
                                   : std::string(family.label) + "=\"" + escaped(sample.label, true) + "\"";
            if (const auto* reading = std::get_if<Reading>(&sample.value)) {
                write_histogram(base, label, *reading);
                continue;
            }
            const auto* whole = std::get_if<std::uint64_t>(&sample.value);
            line(total, label, whole != nullptr ? std::to_string(*whole) : number_text(std::get<double>(sample.value)));
        }
    }
    std::string finish() {
        if (open_) out_ += "# EOF\n";
        return std::move(out_);
    }

 private:
    void line(const std::string& name, const std::string& labels, const std::string& value) {
        out_ += name;
        if (!labels.empty()) out_ += "{" + labels + "}";
        out_ += " " + value + "\n";
    }
    void write_histogram(const std::string& name, const std::string& label, const Reading& reading) {
        const auto& bounds = storage::DurationHistogram::kBoundsUs;
        std::uint64_t below = 0;
        const auto comma = label.empty() ? "" : label + ",";
        for (std::size_t i = 0; i < reading.counts.size(); ++i) {
            below += reading.counts[i];
            const auto le = i < bounds.size() ? bound(bounds[i]) : std::string("+Inf");
            line(name + "_bucket", comma + "le=\"" + le + "\"", std::to_string(below));
        }
        line(name + "_sum", label, number_text(static_cast<double>(reading.sum_us) / kMicro));
        line(name + "_count", label, std::to_string(below));
    }

    const bool open_;
    std::string out_;
};

}  // namespace

void Samples::add(std::string_view family, decltype(Sample::value) value, std::string label) {
    const auto all = families();
    const auto found = std::find_if(all.begin(), all.end(), [&](const Family& each) { return each.name == family; });
    SLUICE_ASSERT(found != all.end() && found->label.empty() == label.empty());
    SLUICE_ASSERT((found->type == Type::histogram) == std::holds_alternative<Reading>(value));
    samples_[found->name].push_back({std::move(label), value});
}

const std::vector<Sample>* Samples::of(const Family& family) const {
    const auto found = samples_.find(family.name);
    return found == samples_.end() ? nullptr : &found->second;
}

Format chosen_format(std::string_view accept) {
    const auto open = quality_of(accept, kOpenMetrics);
    return open > 0 && open >= quality_of(accept, "text/plain") ? Format::openmetrics : Format::text;
}

std::string_view content_type(Format format) {
    return format == Format::openmetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                         : "text/plain; version=0.0.4; charset=utf-8";
}

std::string expose(const Samples& samples, Format format) {
    Writer writer(format);
    for (const auto& family : families()) {
        if (const auto* of = samples.of(family)) writer.write(family, *of);
    }
    return writer.finish();
}

}  // namespace sluice::agent::metrics
