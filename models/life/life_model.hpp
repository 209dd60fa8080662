// life_model.hpp: remaining life learned from the histories of units that ran to their failure.
//
// Five small networks and five sets of boosted trees, each learned without a fifth of the units; their mean is the
// answer. What each says of the units that it hasn't seen gives the interval. Rows whose unit had more than the horizon
// left are not learned: a young unit shows no wear, and the answer for it is "about the horizon". Scores and what else
// was tried: docs/detectors.md.
#pragma once

#include "models/life/boosted_trees.hpp"
#include "models/life/life_features.hpp"
#include "models/life/network.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace sluice::models {

/// One unit, its rows in order; the last is the one at which it failed.
struct LifeHistory {
    std::vector<std::vector<double>> rows;
};

struct LifeTrainingOptions {
    double horizon = 145;  ///< in rows
    std::uint64_t seed = 1;
};

/// In rows (cycles) after the last one.
struct RemainingLife {
    double expected = 0;
    double low = 0, high = 0;  ///< covers 90 % of units like those learned from
};

class LifeModel {
 public:
    static constexpr std::size_t kMembers = 5;
    static constexpr std::size_t kRowsMin = 21;  ///< of a unit with fewer nothing was learned: they are too noisy

    /// @param columns  the sensors' names; a column that never changes is not used
    /// @return what is wrong: fewer than ten units, none with 21 rows, no column that changes
    static std::variant<LifeModel, std::string> train(const std::vector<std::string>& columns,
                                                      const std::vector<LifeHistory>& histories,
                                                      const LifeTrainingOptions& options);

    /// The same model gives the same bytes, on every machine.
    [[nodiscard]] std::string to_bytes() const;
    /// @return nullopt: not such a model, or damaged
    static std::optional<LifeModel> from_bytes(std::string_view bytes);

    /// The columns that a row has to have, in this order.
    [[nodiscard]] const std::vector<std::string>& columns() const { return columns_; }
    [[nodiscard]] double horizon() const { return horizon_; }

    /// The values of columns(), as the features take them.
    void scale(std::span<const double> values, std::vector<float>& scaled) const;
    [[nodiscard]] RemainingLife predict(const LifeFeatures& features) const;

 private:
    static constexpr std::size_t kKnots = 12;  ///< of the interval, from 0 to the horizon

    struct Member {
        Network network;
        BoostedTrees trees;
        [[nodiscard]] double predict(std::span<const float> row) const;
    };
    struct Rows;

    void learn_scales(const std::vector<LifeHistory>& histories, const std::vector<std::string>& columns,
                      std::vector<std::size_t>& used);
    void learn_interval(const std::vector<double>& predicted, const std::vector<double>& left);
    [[nodiscard]] double at_knots(const std::array<double, kKnots>& knots, double expected) const;
    [[nodiscard]] std::vector<float> scaled_features(const LifeFeatures& features) const;
    [[nodiscard]] double rows_of(double target) const { return (target + 1) * horizon_ / 2; }  ///< of -1 … 1

    std::vector<std::string> columns_;
    double horizon_ = 0;
    std::vector<double> mean_, deviation_;  ///< of the columns
    std::vector<double> feature_mean_, feature_deviation_;
    std::array<Member, kMembers> members_;
    std::array<double, kKnots> under_{}, over_{};  ///< from expected to low and to high
};

/// One unit on its way: takes its rows, tells what is left. Several trackers may share a model.
class LifeTracker {
 public:
    explicit LifeTracker(const LifeModel& model) : model_(&model), features_(model.columns().size()) {}

    /// @param values  of the model's columns, all finite
    void add(std::span<const double> values) {
        model_->scale(values, scaled_);
        features_.add(scaled_);
    }
    /// After at least one add().
    [[nodiscard]] RemainingLife remaining() const { return model_->predict(features_); }

 private:
    const LifeModel* model_;
    LifeFeatures features_;
    std::vector<float> scaled_;
};

}  // namespace sluice::models
