#include "models/life/life_features.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace sluice::models {

namespace {

constexpr std::size_t kRecentRows = 80, kFirstRows = 40;
constexpr std::array<std::size_t, 5> kMeanRows{5, 10, 20, 40, 80};
constexpr std::array<std::size_t, 3> kSlopeRows{20, 40, 80};

}  // namespace

LifeFeatures::LifeFeatures(std::size_t sensors) : sensors_(sensors), recent_(sensors * kRecentRows), first_(sensors) {}

void LifeFeatures::add(std::span<const float> row) {
    std::copy_n(row.begin(), sensors_, recent_.begin() + static_cast<std::ptrdiff_t>(rows_ % kRecentRows * sensors_));
    rows_++;
    if (rows_ > kFirstRows) return;
    for (std::size_t i = 0; i < sensors_; i++) first_[i] += (row[i] - first_[i]) / static_cast<float>(rows_);
}

void LifeFeatures::append_to(std::vector<float>& features) const {
    const auto known = std::min<std::size_t>(rows_, kRecentRows);
    // Back from the newest row, at times 0, -1, -2 …: sums of values and of time times value.
    std::array<double, kRecentRows + 1> sums{}, products{};
    for (std::size_t sensor = 0; sensor < sensors_; sensor++) {
        for (std::size_t back = 0; back < known; back++) {
            const double value = recent_[(rows_ - 1 - back) % kRecentRows * sensors_ + sensor];
            sums[back + 1] = sums[back] + value;
            products[back + 1] = products[back] - static_cast<double>(back) * value;
        }
        const auto mean = [&](std::size_t rows) {
            const auto n = std::min(rows, known);
            return sums[n] / static_cast<double>(n);
        };
        for (const auto rows : kMeanRows) features.push_back(static_cast<float>(mean(rows)));
        for (const auto rows : kSlopeRows) {
            const auto used = std::min(rows, known);
            const auto n = static_cast<double>(used), wanted = static_cast<double>(rows);
            if (used < 3) {
                features.push_back(0);
                continue;
            }
            const double slope = (products[used] + (n - 1) / 2 * sums[used]) * 12 / (n * (n * n - 1));
            // Over the whole window; of a short one less, as it is noisier.
            features.push_back(static_cast<float>(slope * wanted * std::pow(n / wanted, 1.5)));
        }
        features.push_back(static_cast<float>(mean(10) - first_[sensor]));
    }
    features.push_back(static_cast<float>(rows_) / 100);
    features.push_back(static_cast<float>(std::log1p(static_cast<double>(rows_))));
}

}  // namespace sluice::models
