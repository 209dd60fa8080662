#include "models/detect/drift.hpp"

#include "models/numbers.hpp"
namespace sluice::models {

namespace {

constexpr std::uint64_t kLearnRecords = 400;
constexpr std::uint64_t kBlockRecords = 40;
constexpr double kBlocks = 10;
static_assert(kBlocks * kBlockRecords == kLearnRecords);
constexpr double kRecentStep = 0.05;  // a mean over the last 20 records, about
constexpr double kWandering = 2;      // so many times the variance of the blocks is allowed at once,
constexpr double kWanderingMax = 4;   // and at most so many times that much later
constexpr double kFollowRecords = 64.0 * kLearnRecords;
constexpr double kUsualDistance = 4.5;  // where the score is 0.99

}  // namespace

void DriftDetector::Value::learn(double value) {
    const double n = static_cast<double>(count);
    const double off = value - mean;
    mean += off / n;
    squares += off * (value - mean);
    const std::uint64_t in_block = (count - 1) % kBlockRecords + 1;
    if (in_block == 1) block = value;
    block += (value - block) / static_cast<double>(in_block);
    if (in_block != kBlockRecords) return;
    const double blocks = n / kBlockRecords;
    const double block_off = block - blocks_mean;
    blocks_mean += block_off / blocks;
    blocks_squares += block_off * (block - blocks_mean);
}

double DriftDetector::Value::distance_and_learn(double value) {
    count++;
    if (count == 1) recent = value;
    recent += kRecentStep * (value - recent);
    if (count <= kLearnRecords) {
        learn(value);
        return 0;
    }
    const double since = static_cast<double>(count - kLearnRecords) / kLearnRecords;
    const double own = squares / kLearnRecords * kRecentStep / (2 - kRecentStep);
    const double wandering = kWandering * blocks_squares / (kBlocks - 1);
    const double allowed = own + wandering * std::min(1 + since, kWanderingMax) + square(kRounding * mean);
    const double distance = allowed > 0 ? std::fabs(recent - mean) / std::sqrt(allowed) : recent == mean ? 0 : 1e9;
    mean += (value - mean) / kFollowRecords;
    return distance;
}

double DriftDetector::score(std::span<const double> values, double /*seconds*/) {
    double sum = 0;
    for (std::size_t i = 0; i < values_.size(); i++) {
        if (std::isfinite(values[i])) sum += square(square(values_[i].distance_and_learn(values[i])));
    }
    // The fourth powers: nearly the largest of the distances, a little more where several values move.
    return 1 - std::pow(10.0, -2 * std::sqrt(std::sqrt(sum)) / kUsualDistance);
}

}  // namespace sluice::models
