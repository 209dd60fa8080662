// plot_curve.hpp: a curve of any number of values, in bounded memory: the least and the greatest of each step of time.
#pragma once

#include "models/time.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace sluice::agent {

class PlotCurve {
 public:
    static constexpr std::size_t kStepsMax = 2048;
    struct Step {
        models::Time time;
        double low = std::numeric_limits<double>::infinity();
        double high = -std::numeric_limits<double>::infinity();
        [[nodiscard]] bool empty() const { return low > high; }
    };

    /// In the order of time: what is before the first value is left out.
    void add(models::Time time, double value) {
        if (steps_.empty()) start_ = time;
        if (time < start_) return;
        while (static_cast<std::size_t>((time - start_) / width_) >= kStepsMax) widen();
        const auto at = static_cast<std::size_t>((time - start_) / width_);
        if (steps_.size() <= at) steps_.resize(at + 1);
        auto& step = steps_[at];
        if (step.empty()) step.time = time;
        step.low = std::min(step.low, value);
        step.high = std::max(step.high, value);
    }
    [[nodiscard]] const std::vector<Step>& steps() const { return steps_; }

 private:
    void widen() {
        width_ *= 2;
        for (std::size_t i = 0; i < steps_.size(); ++i) {
            const auto step = steps_[i];
            auto& into = steps_[i / 2];
            if (i % 2 == 0) {
                into = step;
            } else if (!step.empty()) {
                if (into.empty()) into.time = step.time;
                into.low = std::min(into.low, step.low);
                into.high = std::max(into.high, step.high);
            }
        }
        steps_.resize((steps_.size() + 1) / 2);
    }

    models::Time start_{};
    models::Duration width_{1};
    std::vector<Step> steps_;
};

}  // namespace sluice::agent
