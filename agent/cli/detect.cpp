// `sluice detect`: scores the rows of a CSV file with a detector, as the gateway would have, one after the other.
#include "agent/cli/commands.hpp"
#include "agent/config_diagnostic.hpp"
#include "agent/config_names.hpp"
#include "agent/csv.hpp"
#include "models/detect/detector.hpp"
#include "models/nearest_name.hpp"

#include <iomanip>
#include <iostream>

namespace sluice::agent {

namespace {

using storage::Errc;
using storage::Error;
using storage::Result;

int list_methods() {
    for (const auto& method : models::detector_methods()) {
        std::cout << std::left << std::setw(14) << method.name << method.what << "\n";
    }
    return kExitSuccess;
}

Result<std::unique_ptr<models::Detector>> detector_of(const DetectArguments& arguments) {
    const std::size_t width = arguments.value_columns.size();
    if (width > models::kDetectorWidthMax) {
        return Error(Errc::invalid, std::to_string(width) + " value columns (at most " +
                                        std::to_string(models::kDetectorWidthMax) + ")");
    }
    const auto method = arguments.method.empty() ? models::default_detector_method(width) : arguments.method;
    if (auto detector = models::make_detector(method, width)) return detector;
    std::vector<std::string> names;
    for (const auto& each : models::detector_methods()) {
        if (each.name == method) {
            return Error(Errc::invalid, std::string(method) + " takes one value column (drift takes several)");
        }
        names.emplace_back(each.name);
    }
    const auto near = models::nearest_name(method, names);
    return Error(Errc::invalid, "no method " + in_quotes(method) + " (" +
                                    (near ? "did you mean " + *near + "?" : "--list shows all") + ")");
}

Result<void> score_rows(CsvReader& in, CsvWriter& out, models::Detector& detector, const DetectArguments& arguments) {
    const auto time = in.column(arguments.time_column);
    if (!time) return time.error();
    std::vector<std::size_t> columns;
    for (const auto& name : arguments.value_columns) {
        const auto column = in.column(name);
        if (!column) return column.error();
        columns.push_back(*column);
    }
    out.field("timestamp").field("anomaly_score").end_row();
    std::vector<double> values(columns.size());
    for (;;) {
        const auto more = in.next();
        if (!more) return more.error();
        if (!*more) return out.finish();
        const auto seconds = in.seconds(*time);
        if (!seconds) return seconds.error();
        for (std::size_t i = 0; i < columns.size(); i++) {
            const auto value = in.number_or_missing(columns[i]);
            if (!value) return value.error();
            values[i] = *value;
        }
        out.field(in.text(*time)).field(detector.score(values, *seconds)).end_row();
    }
}

Result<void> detect(const DetectArguments& arguments, models::Detector& detector) {
    auto in = CsvReader::open(arguments.in);
    if (!in) return in.error();
    auto out = CsvWriter::create(arguments.out);
    if (!out) return out.error();
    return score_rows(*in, *out, detector, arguments);
}

}  // namespace

int detect_command(const DetectArguments& arguments) {
    if (arguments.list) return list_methods();
    if (arguments.in.empty() || arguments.out.empty() || arguments.value_columns.empty()) {
        std::cerr << "sluice: --in, --value-column and --out are needed (try --help)\n";
        return kExitUsage;
    }
    const auto detector = detector_of(arguments);
    if (!detector) {
        std::cerr << "sluice: " << detector.error().message() << "\n";
        return kExitUsage;
    }
    if (const auto done = detect(arguments, **detector); !done) {
        std::cerr << done.error().message() << "\n";
        return kExitFailure;
    }
    return kExitSuccess;
}

}  // namespace sluice::agent
