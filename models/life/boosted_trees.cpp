#include "models/life/boosted_trees.hpp"

#include <algorithm>
#include <limits>
#include <numeric>
#include <random>

namespace sluice::models {

namespace {

constexpr std::size_t kBins = 64;
constexpr double kShrink = 1;  // rows without error that each leaf is thought to have besides

/// The features as bins of about equal counts, column after column.
class Binned {
 public:
    Binned(std::span<const float> rows, std::size_t inputs) : count_(rows.size() / inputs), codes_(rows.size()) {
        cuts_.resize(inputs);
        std::vector<float> sorted(count_);
        for (std::size_t column = 0; column < inputs; column++) {
            for (std::size_t i = 0; i < count_; i++) sorted[i] = rows[i * inputs + column];
            std::sort(sorted.begin(), sorted.end());
            auto& cuts = cuts_[column];
            for (std::size_t bin = 1; bin < kBins; bin++) {
                const float cut = sorted[bin * count_ / kBins];
                if (cut < sorted.back() && (cuts.empty() || cut > cuts.back())) cuts.push_back(cut);
            }
            for (std::size_t i = 0; i < count_; i++) {
                const auto at = std::lower_bound(cuts.begin(), cuts.end(), rows[i * inputs + column]);
                codes_[column * count_ + i] = static_cast<std::uint8_t>(at - cuts.begin());
            }
        }
    }
    [[nodiscard]] std::span<const std::uint8_t> codes(std::size_t column) const {
        return std::span(codes_).subspan(column * count_, count_);
    }
    /// Bins 0 to bin hold the values up to here.
    [[nodiscard]] float cut(std::size_t column, std::size_t bin) const { return cuts_[column][bin]; }
    [[nodiscard]] std::size_t cuts(std::size_t column) const { return cuts_[column].size(); }

 private:
    std::size_t count_;
    std::vector<std::uint8_t> codes_;
    std::vector<std::vector<float>> cuts_;
};

struct Sum {
    double error = 0, rows = 0;
    [[nodiscard]] double gain() const { return error * error / (rows + kShrink); }
};

struct Split {
    double gain = 0;
    std::size_t feature = 0, bin = kBins;  ///< kBins: all to the left
    float threshold = std::numeric_limits<float>::infinity();
};

/// Grows one tree on the given rows and columns.
class Grower {
 public:
    Grower(const Binned& binned, std::span<const float> errors, double rows_min)
        : binned_(binned), errors_(errors), rows_min_(rows_min) {}

    BoostedTrees::Tree grow(const std::vector<std::uint32_t>& rows, const std::vector<std::size_t>& columns,
                            double rate) {
        BoostedTrees::Tree tree;
        std::vector<std::uint32_t> leaf_of(rows.size(), 0);  // within the level
        for (std::size_t level = 0; level < BoostedTrees::kDepth; level++) {
            const std::size_t nodes = std::size_t{1} << level, first = nodes - 1;
            const auto splits = best_splits(rows, leaf_of, columns, nodes);
            for (std::size_t node = 0; node < nodes; node++) {
                tree.feature[first + node] = static_cast<std::uint16_t>(splits[node].feature);
                tree.threshold[first + node] = splits[node].threshold;
            }
            for (std::size_t i = 0; i < rows.size(); i++) {
                const auto& split = splits[leaf_of[i]];
                const bool right = split.bin < kBins && binned_.codes(split.feature)[rows[i]] > split.bin;
                leaf_of[i] = 2 * leaf_of[i] + (right ? 1 : 0);
            }
        }
        std::array<Sum, BoostedTrees::kLeaves> sums;
        for (std::size_t i = 0; i < rows.size(); i++) {
            sums[leaf_of[i]].error += errors_[rows[i]];
            sums[leaf_of[i]].rows++;
        }
        for (std::size_t leaf = 0; leaf < sums.size(); leaf++) {
            tree.leaf[leaf] = static_cast<float>(rate * sums[leaf].error / (sums[leaf].rows + kShrink));
        }
        return tree;
    }

 private:
    std::vector<Split> best_splits(const std::vector<std::uint32_t>& rows, const std::vector<std::uint32_t>& leaf_of,
                                   const std::vector<std::size_t>& columns, std::size_t nodes) {
        std::vector<Split> best(nodes);
        std::vector<Sum> histogram(nodes * kBins);
        for (const std::size_t column : columns) {
            std::fill(histogram.begin(), histogram.end(), Sum{});
            const auto codes = binned_.codes(column);
            for (std::size_t i = 0; i < rows.size(); i++) {
                auto& sum = histogram[leaf_of[i] * kBins + codes[rows[i]]];
                sum.error += errors_[rows[i]];
                sum.rows++;
            }
            for (std::size_t node = 0; node < nodes; node++) {
                consider(std::span(histogram).subspan(node * kBins, kBins), column, best[node]);
            }
        }
        return best;
    }

    void consider(std::span<const Sum> histogram, std::size_t column, Split& best) const {
        Sum all;
        for (const auto& sum : histogram) all = {all.error + sum.error, all.rows + sum.rows};
        Sum left;
        for (std::size_t bin = 0; bin < binned_.cuts(column); bin++) {
            left = {left.error + histogram[bin].error, left.rows + histogram[bin].rows};
            const Sum right{all.error - left.error, all.rows - left.rows};
            if (left.rows < rows_min_ || right.rows < rows_min_) continue;
            const double gain = left.gain() + right.gain() - all.gain();
            if (gain > best.gain) best = {gain, column, bin, binned_.cut(column, bin)};
        }
    }

    const Binned& binned_;
    std::span<const float> errors_;
    double rows_min_;
};

/// `share` of 0 to count - 1, in a random order; at least one.
template <class T>
std::vector<T> sample(std::size_t count, double share, std::mt19937_64& random) {
    std::vector<T> all(count);
    std::iota(all.begin(), all.end(), T{0});
    const auto wanted = std::max<std::size_t>(1, static_cast<std::size_t>(share * static_cast<double>(count)));
    for (std::size_t i = 0; i < wanted; i++) std::swap(all[i], all[i + random() % (count - i)]);
    all.resize(wanted);
    return all;
}

}  // namespace

BoostedTrees BoostedTrees::train(std::span<const float> rows, std::span<const float> targets, std::size_t inputs,
                                 const BoostingOptions& options) {
    const Binned binned(rows, inputs);
    std::mt19937_64 random(options.seed);
    BoostedTrees model;
    model.base_ = std::accumulate(targets.begin(), targets.end(), 0.0F) / static_cast<float>(targets.size());
    std::vector<float> errors(targets.begin(), targets.end());
    for (float& error : errors) error -= model.base_;
    for (std::size_t t = 0; t < options.trees; t++) {
        auto chosen = sample<std::uint32_t>(targets.size(), options.row_share, random);
        std::sort(chosen.begin(), chosen.end());
        const auto columns = sample<std::size_t>(inputs, options.column_share, random);
        model.trees_.push_back(Grower(binned, errors, options.rows_min).grow(chosen, columns, options.rate));
        const BoostedTrees last(0, {model.trees_.back()});
        for (std::size_t i = 0; i < errors.size(); i++) errors[i] -= last.predict(rows.subspan(i * inputs, inputs));
    }
    return model;
}

float BoostedTrees::predict(std::span<const float> row) const {
    float sum = base_;
    for (const auto& tree : trees_) {
        std::size_t node = 0;
        while (node < kSplits) node = 2 * node + (row[tree.feature[node]] > tree.threshold[node] ? 2 : 1);
        sum += tree.leaf[node - kSplits];
    }
    return sum;
}

}  // namespace sluice::models
