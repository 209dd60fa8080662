#include "bridge/kafka/fair_share.hpp"

#include <algorithm>
#include <numeric>
#include <tuple>

namespace sluice::bridge::kafka {

void FairShare::add(double weight) {
    streams_.push_back({weight});
    order_.resize(streams_.size());
    std::iota(order_.begin(), order_.end(), 0);
}

double FairShare::start_of(const Stream& stream) const {
    return std::max(now_, stream.finish);
}

const std::vector<std::size_t>& FairShare::order() {
    const auto rank = [this](std::size_t index) {
        const auto& stream = streams_[index];
        return std::tuple(start_of(stream), -stream.weight, stream.last_turn, index);
    };
    std::sort(order_.begin(), order_.end(), [&](auto a, auto b) { return rank(a) < rank(b); });
    return order_;
}

void FairShare::sent(std::size_t index, std::size_t bytes) {
    auto& stream = streams_[index];
    now_ = start_of(stream);
    stream.finish = now_ + static_cast<double>(bytes) / stream.weight;
    stream.last_turn = ++turns_;
}

}  // namespace sluice::bridge::kafka
