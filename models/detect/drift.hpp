// drift.hpp: the default for several values: how far the means have moved, against how far they wander by themselves.
//
// The first records teach each value's mean, its spread from record to record, and how far the means of blocks of
// records wander. Later a running mean is compared with the learned one. A temperature that drifts all day has
// wandering blocks and is believed little; a flow that stood still counts at once. The allowance for wandering grows
// with the time since, up to a limit, and the learned mean follows slowly, so that a season doesn't become an alarm.
//
// Sources: exponentially weighted means as control charts, Roberts, Technometrics 1959; the spread of batch means as
// the scale for correlated data, Runger and Willemain, J. Quality Technology 1995.
#pragma once

#include "models/detect/detector_base.hpp"

#include <vector>

namespace sluice::models {

class DriftDetector final : public DetectorBase<DriftDetector> {
 public:
    static constexpr std::string_view kName = "drift";
    explicit DriftDetector(std::size_t width) : values_(width) {}

    double score(std::span<const double> values, double seconds) override;
    [[nodiscard]] std::size_t width() const override { return values_.size(); }
    [[nodiscard]] std::size_t heap_bytes() const { return values_.size() * sizeof(Value); }

    template <class Archive>
    void archive(Archive& archive) {
        archive(values_);
    }

 private:
    struct Value {
        std::uint64_t count = 0;
        double recent = 0;             ///< running mean
        double mean = 0, squares = 0;  ///< of the learning; squares around the mean
        double block = 0;              ///< mean of the block so far
        double blocks_mean = 0, blocks_squares = 0;

        /// @return the distance in units of what is allowed; 0 while learning
        double distance_and_learn(double value);
        void learn(double value);

        template <class Archive>
        void archive(Archive& archive) {
            archive(count, recent, mean, squares, block, blocks_mean, blocks_squares);
        }
    };
    std::vector<Value> values_;
};

}  // namespace sluice::models
