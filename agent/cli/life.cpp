// `sluice life`: learns remaining life from histories that end in failure, and tells it of units that still run.
#include "agent/cli/commands.hpp"
#include "agent/config_diagnostic.hpp"
#include "agent/csv.hpp"
#include "agent/life_model_file.hpp"
#include "models/life/life_model.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <map>

namespace sluice::agent {

namespace {

using models::LifeHistory;
using models::LifeModel;
using storage::Errc;
using storage::Error;
using storage::Result;

constexpr std::string_view kUnit = "unit", kCycle = "cycle";

/// Calls `use(unit's name, its number from 0, values)` for each row; `columns` are read, all finite. The rows of a unit
/// may be anywhere, but their cycles rise.
template <class Use>
Result<void> each_row(CsvReader& in, const std::vector<std::string>& columns, const Use& use) {
    const auto unit = in.column(kUnit), cycle = in.column(kCycle);
    if (!unit) return unit.error();
    if (!cycle) return cycle.error();
    std::vector<std::size_t> places;
    for (const auto& name : columns) {
        const auto place = in.column(name);
        if (!place) return place.error();
        places.push_back(*place);
    }
    std::map<std::string, std::size_t> numbers;
    std::vector<double> last_cycles, values(columns.size());
    for (;;) {
        const auto more = in.next();
        if (!more) return more.error();
        if (!*more) return {};
        const auto now = in.number(*cycle);
        if (!now) return now.error();
        const auto [known, is_new] = numbers.try_emplace(in.text(*unit), last_cycles.size());
        if (is_new) {
            last_cycles.push_back(*now);
        } else if (*now <= last_cycles[known->second]) {
            return in.wrong(*cycle, "cycle " + in.text(*cycle) + " of unit " + in_quotes(known->first) + " comes late",
                            "sort the rows of a unit by cycle");
        }
        last_cycles[known->second] = *now;
        for (std::size_t i = 0; i < places.size(); i++) {
            const auto value = in.number(places[i]);
            if (!value) return value.error();
            values[i] = *value;
        }
        use(known->first, known->second, values);
    }
}

Result<void> write_file(const std::string& path, const std::string& bytes) {
    std::ofstream file(path + ".part", std::ios::binary | std::ios::trunc);
    file << bytes;
    file.close();
    if (!file) return Error::from_errno(errno, "write", path);
    if (std::rename((path + ".part").c_str(), path.c_str()) != 0) return Error::from_errno(errno, "rename", path);
    return {};
}

Result<void> train(const LifeTrainArguments& arguments) {
    auto in = CsvReader::open(arguments.in);
    if (!in) return in.error();
    std::vector<std::string> sensors;
    std::copy_if(in->columns().begin(), in->columns().end(), std::back_inserter(sensors),
                 [](const std::string& name) { return name != kUnit && name != kCycle; });
    std::vector<LifeHistory> histories;
    const auto read = each_row(*in, sensors, [&](const std::string&, std::size_t number, const auto& values) {
        if (number == histories.size()) histories.emplace_back();
        histories[number].rows.push_back(values);
    });
    if (!read) return read.error();
    models::LifeTrainingOptions options;
    if (arguments.horizon) options.horizon = *arguments.horizon;
    const auto model = LifeModel::train(sensors, histories, options);
    if (const auto* wrong = std::get_if<std::string>(&model)) {
        return Error(Errc::invalid, arguments.in + ": " + *wrong + " (more histories are needed, each to its failure)");
    }
    const auto bytes = std::get<LifeModel>(model).to_bytes();
    if (const auto written = write_file(arguments.model, bytes); !written) return written.error();
    std::cout << "learned from " << histories.size() << " units and " << std::get<LifeModel>(model).columns().size()
              << " of " << sensors.size() << " columns; " << arguments.model << " has " << bytes.size() << " bytes"
              << std::endl;
    return {};
}

Result<void> predict(const LifePredictArguments& arguments) {
    const auto model = read_life_model(arguments.model);
    if (!model) return model.error();
    auto in = CsvReader::open(arguments.in);
    if (!in) return in.error();
    auto out = CsvWriter::create(arguments.out);
    if (!out) return out.error();
    std::vector<std::string> units;
    std::vector<models::LifeTracker> trackers;
    const auto read =
        each_row(*in, model->columns(), [&](const std::string& unit, std::size_t number, const auto& values) {
            if (number == trackers.size()) {
                units.push_back(unit);
                trackers.emplace_back(*model);
            }
            trackers[number].add(values);
        });
    if (!read) return read.error();
    out->field("unit").field("rul").field("rul_low").field("rul_high").end_row();
    for (std::size_t i = 0; i < units.size(); i++) {
        const auto left = trackers[i].remaining();
        out->field(units[i]).field(left.expected).field(left.low).field(left.high).end_row();
    }
    return out->finish();
}

int finish(const Result<void>& done) {
    if (done) return kExitSuccess;
    std::cerr << done.error().message() << "\n";
    return kExitFailure;
}

}  // namespace

int life_train_command(const LifeTrainArguments& arguments) {
    return finish(train(arguments));
}

int life_predict_command(const LifePredictArguments& arguments) {
    return finish(predict(arguments));
}

}  // namespace sluice::agent
