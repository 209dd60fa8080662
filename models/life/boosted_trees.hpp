// boosted_trees.hpp: regression trees, each learned on what the ones before it left over; squared error.
//
// Friedman, "Stochastic gradient boosting", 2002, on histograms of the features. All trees have the same depth and lie
// in flat arrays, so that a model is small and a prediction is a few hundred comparisons. Our own, because XGBoost's
// library (Debian: libxgboost0 and libdmlc0) scored no better and is larger than the agent. Training is deterministic.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace sluice::models {

struct BoostingOptions {
    std::size_t trees = 300;
    double rate = 0.04;
    double row_share = 0.5;     ///< of the rows, for each tree
    double column_share = 0.3;  ///< of the features, for each tree
    double rows_min = 20;       ///< in a leaf
    std::uint64_t seed = 1;
};

class BoostedTrees {
 public:
    static constexpr std::size_t kDepth = 4, kSplits = (1U << kDepth) - 1, kLeaves = 1U << kDepth;

    struct Tree {
        std::array<std::uint16_t, kSplits> feature{};  ///< node n's children are 2n+1 (at most the threshold) and 2n+2
        std::array<float, kSplits> threshold{};
        std::array<float, kLeaves> leaf{};
    };

    BoostedTrees() = default;
    BoostedTrees(float base, std::vector<Tree> trees) : base_(base), trees_(std::move(trees)) {}

    /// @param rows  features of all rows, one row after the other; at most 65,535 features
    static BoostedTrees train(std::span<const float> rows, std::span<const float> targets, std::size_t inputs,
                              const BoostingOptions& options);

    [[nodiscard]] float predict(std::span<const float> row) const;

    [[nodiscard]] float base() const { return base_; }
    [[nodiscard]] const std::vector<Tree>& trees() const { return trees_; }

 private:
    float base_ = 0;
    std::vector<Tree> trees_;
};

}  // namespace sluice::models
