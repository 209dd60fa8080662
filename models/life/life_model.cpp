#include "models/life/life_model.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

namespace sluice::models {

namespace {

constexpr std::size_t kUnitsMin = 10;
constexpr double kConstant = 1e-9;  // of the mean: a column that deviates less never changes
constexpr double kScaledMax = 20;   // deviations; a broken sensor shouldn't drown the others
constexpr double kOutside = 0.05;   // of the units on each side of the interval

constexpr TrainingOptions kNetwork{.hidden = 24, .epochs = 20, .rate = 0.003, .decay = 0.2, .batch = 64, .seed = 0};
constexpr BoostingOptions kTrees{
    .trees = 200, .rate = 0.05, .row_share = 0.5, .column_share = 0.3, .rows_min = 20, .seed = 0};

double quantile(std::vector<double> values, double share) {
    const auto at = std::lround(share * static_cast<double>(values.size() - 1));
    std::nth_element(values.begin(), values.begin() + at, values.end());
    return values[static_cast<std::size_t>(at)];
}

}  // namespace

/// Features and what was left, row after row, and which unit each row is of.
struct LifeModel::Rows {
    std::vector<float> features;
    std::vector<float> targets;
    std::vector<std::size_t> unit;

    /// The rows of the units of which `wanted` says so.
    template <class Wanted>
    [[nodiscard]] Rows those(std::size_t inputs, const Wanted& wanted) const {
        Rows some;
        for (std::size_t i = 0; i < targets.size(); i++) {
            if (!wanted(unit[i])) continue;
            const auto from = features.begin() + static_cast<std::ptrdiff_t>(i * inputs);
            some.features.insert(some.features.end(), from, from + static_cast<std::ptrdiff_t>(inputs));
            some.targets.push_back(targets[i]);
            some.unit.push_back(unit[i]);
        }
        return some;
    }
};

double LifeModel::Member::predict(std::span<const float> row) const {
    return (double{network.predict(row)} + double{trees.predict(row)}) / 2;
}

void LifeModel::learn_scales(const std::vector<LifeHistory>& histories, const std::vector<std::string>& columns,
                             std::vector<std::size_t>& used) {
    for (std::size_t column = 0; column < columns.size(); column++) {
        double count = 0, mean = 0, squares = 0;
        for (const auto& history : histories) {
            for (const auto& row : history.rows) {
                count++;
                const double off = row[column] - mean;
                mean += off / count;
                squares += off * (row[column] - mean);
            }
        }
        const double deviation = std::sqrt(squares / count);
        if (deviation <= kConstant * std::fabs(mean)) continue;
        used.push_back(column);
        columns_.push_back(columns[column]);
        mean_.push_back(mean);
        deviation_.push_back(deviation);
    }
}

std::variant<LifeModel, std::string> LifeModel::train(const std::vector<std::string>& columns,
                                                      const std::vector<LifeHistory>& histories,
                                                      const LifeTrainingOptions& options) {
    if (histories.size() < kUnitsMin) return "fewer than " + std::to_string(kUnitsMin) + " units";
    LifeModel model;
    model.horizon_ = options.horizon;
    std::vector<std::size_t> used;
    model.learn_scales(histories, columns, used);
    if (used.empty()) return "no column that changes";

    Rows rows;
    std::vector<float> scaled;
    std::vector<double> values(used.size());
    for (std::size_t unit = 0; unit < histories.size(); unit++) {
        LifeFeatures features(used.size());
        const auto& history = histories[unit].rows;
        for (std::size_t i = 0; i < history.size(); i++) {
            for (std::size_t j = 0; j < used.size(); j++) values[j] = history[i][used[j]];
            model.scale(values, scaled);
            features.add(scaled);
            const auto left = static_cast<double>(history.size() - 1 - i);
            if (i + 1 < kRowsMin || left > options.horizon) continue;
            features.append_to(rows.features);
            rows.targets.push_back(static_cast<float>(2 * left / options.horizon - 1));
            rows.unit.push_back(unit);
        }
    }
    if (rows.targets.empty()) return "no unit with more than " + std::to_string(kRowsMin - 1) + " rows";

    const std::size_t inputs = LifeFeatures::count(used.size());
    model.feature_mean_.assign(inputs, 0);
    model.feature_deviation_.assign(inputs, 0);
    const auto count = static_cast<double>(rows.targets.size());
    for (std::size_t i = 0; i < rows.features.size(); i++) model.feature_mean_[i % inputs] += rows.features[i] / count;
    for (std::size_t i = 0; i < rows.features.size(); i++) {
        const double off = rows.features[i] - model.feature_mean_[i % inputs];
        model.feature_deviation_[i % inputs] += off * off / count;
    }
    for (double& deviation : model.feature_deviation_) deviation = std::sqrt(deviation) + 1e-6;
    for (std::size_t i = 0; i < rows.features.size(); i++) {
        const std::size_t f = i % inputs;
        rows.features[i] =
            static_cast<float>((rows.features[i] - model.feature_mean_[f]) / model.feature_deviation_[f]);
    }

    const auto learn = [&](const Rows& learned, std::size_t member) {
        auto network = kNetwork;
        auto trees = kTrees;
        network.seed = trees.seed = options.seed * kMembers + member;
        return Member{Network::train(learned.features, learned.targets, inputs, network),
                      BoostedTrees::train(learned.features, learned.targets, inputs, trees)};
    };
    // What a member says of a fifth of the units that it hasn't seen, for each fifth.
    std::mt19937_64 random(options.seed);
    std::vector<std::size_t> fold_of(histories.size());
    for (std::size_t i = 0; i < fold_of.size(); i++) fold_of[i] = i % kMembers;
    for (std::size_t i = fold_of.size(); i > 1; i--) std::swap(fold_of[i - 1], fold_of[random() % i]);
    std::vector<double> predicted, left;
    for (std::size_t fold = 0; fold < kMembers; fold++) {
        const auto learned = rows.those(inputs, [&](std::size_t unit) { return fold_of[unit] != fold; });
        const auto unseen = rows.those(inputs, [&](std::size_t unit) { return fold_of[unit] == fold; });
        if (learned.targets.empty()) return "too few units with more than " + std::to_string(kRowsMin - 1) + " rows";
        const auto member = learn(learned, fold);
        for (std::size_t i = 0; i < unseen.targets.size(); i++) {
            const auto row = std::span(unseen.features).subspan(i * inputs, inputs);
            predicted.push_back(model.rows_of(member.predict(row)));
            left.push_back(model.rows_of(unseen.targets[i]));
        }
        model.members_[fold] = learn(rows, fold);
    }
    model.learn_interval(predicted, left);
    return model;
}

void LifeModel::learn_interval(const std::vector<double>& predicted, const std::vector<double>& left) {
    const double step = horizon_ / (kKnots - 1);
    for (std::size_t knot = 0; knot < kKnots; knot++) {
        // Rows predicted near the knot; farther ones where there are few.
        std::vector<double> errors;
        for (double reach = step; errors.size() < 50 && reach < 4 * horizon_; reach *= 2) {
            errors.clear();
            for (std::size_t i = 0; i < predicted.size(); i++) {
                const double expected = std::max(0.0, predicted[i]);
                if (std::fabs(expected - step * static_cast<double>(knot)) <= reach)
                    errors.push_back(left[i] - expected);
            }
        }
        if (errors.empty()) continue;
        under_[knot] = std::max(0.0, -quantile(errors, kOutside));
        over_[knot] = std::max(0.0, quantile(errors, 1 - kOutside));
    }
}

double LifeModel::at_knots(const std::array<double, kKnots>& knots, double expected) const {
    const double at = std::clamp(expected / horizon_ * (kKnots - 1), 0.0, double{kKnots - 1});
    const auto below = std::min(static_cast<std::size_t>(at), kKnots - 2);
    const double share = at - static_cast<double>(below);
    return knots[below] * (1 - share) + knots[below + 1] * share;
}

void LifeModel::scale(std::span<const double> values, std::vector<float>& scaled) const {
    scaled.resize(mean_.size());
    for (std::size_t i = 0; i < mean_.size(); i++) {
        scaled[i] = static_cast<float>(std::clamp((values[i] - mean_[i]) / deviation_[i], -kScaledMax, kScaledMax));
    }
}

std::vector<float> LifeModel::scaled_features(const LifeFeatures& features) const {
    std::vector<float> row;
    row.reserve(feature_mean_.size());
    features.append_to(row);
    for (std::size_t i = 0; i < row.size(); i++) {
        row[i] = static_cast<float>((row[i] - feature_mean_[i]) / feature_deviation_[i]);
    }
    return row;
}

RemainingLife LifeModel::predict(const LifeFeatures& features) const {
    const auto row = scaled_features(features);
    double sum = 0;
    for (const auto& member : members_) sum += member.predict(row);
    const double expected = std::max(0.0, rows_of(sum / kMembers));
    return {expected, std::max(0.0, expected - at_knots(under_, expected)), expected + at_knots(over_, expected)};
}

}  // namespace sluice::models
