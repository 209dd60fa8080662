// life_features.hpp: what a unit's history says about its wear, kept up row by row in a fixed size.
//
// For each sensor: the mean of the last 5, 10, 20, 40 and 80 rows, the slope of the last 20, 40 and 80, and how far the
// last 10 lie from the first 40; and the age.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace sluice::models {

class LifeFeatures {
 public:
    explicit LifeFeatures(std::size_t sensors);

    /// @param row  one value a sensor, scaled to about mean 0 and deviation 1
    void add(std::span<const float> row);
    /// After at least one add(); count() of them, appended to `features`.
    void append_to(std::vector<float>& features) const;

    template <class Archive>
    void archive(Archive& archive) {
        archive(rows_, recent_, first_);
    }

    [[nodiscard]] static std::size_t count(std::size_t sensors) { return 9 * sensors + 2; }
    [[nodiscard]] std::uint64_t rows() const { return rows_; }

 private:
    std::size_t sensors_;
    std::uint64_t rows_ = 0;
    std::vector<float> recent_;  ///< the last 80 rows, in a ring
    std::vector<float> first_;   ///< mean of the first 40
};

}  // namespace sluice::models
