#include "models/life/network.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <numeric>
#include <random>

namespace sluice::models {

namespace {

constexpr double kFirstMoment = 0.9, kSecondMoment = 0.999;  // Adam: Kingma and Ba, 2014

/// The standard library's distributions differ between libraries; these don't.
double uniform(std::mt19937_64& random) {
    return static_cast<double>(random() >> 11U) * 0x1p-53;
}

double normal(std::mt19937_64& random) {
    return std::sqrt(-2 * std::log(1 - uniform(random))) * std::cos(2 * std::numbers::pi * uniform(random));
}

float dot(std::span<const float> a, std::span<const float> b) {
    std::array<float, 8> sums{};
    std::size_t i = 0;
    for (; i + 8 <= a.size(); i += 8) {
        for (std::size_t j = 0; j < 8; j++) sums[j] += a[i + j] * b[i + j];
    }
    float sum = std::accumulate(sums.begin(), sums.end(), 0.0F);
    for (; i < a.size(); i++) sum += a[i] * b[i];
    return sum;
}

/// Adam with decoupled decay, over all weights at once.
class Adam {
 public:
    explicit Adam(std::size_t size) : first_(size), second_(size) {}

    void step(std::span<float> weights, std::span<const float> gradient, double rate, double decay) {
        step_++;
        const double first_bias = 1 - std::pow(kFirstMoment, step_), second_bias = 1 - std::pow(kSecondMoment, step_);
        const auto scale = static_cast<float>(rate * std::sqrt(second_bias) / first_bias);
        const auto keep = static_cast<float>(1 - rate * decay);
        constexpr auto kB1 = static_cast<float>(kFirstMoment), kB2 = static_cast<float>(kSecondMoment);
        for (std::size_t i = 0; i < weights.size(); i++) {
            first_[i] = kB1 * first_[i] + (1 - kB1) * gradient[i];
            second_[i] = kB2 * second_[i] + (1 - kB2) * gradient[i] * gradient[i];
            weights[i] = keep * weights[i] - scale * first_[i] / (std::sqrt(second_[i]) + 1e-8F);
        }
    }

 private:
    std::vector<float> first_, second_;
    int step_ = 0;
};

}  // namespace

Network::Network(std::size_t inputs, std::size_t hidden, std::vector<float> weights)
    : inputs_(inputs), hidden_(hidden), weights_(std::move(weights)) {}

float Network::forward(std::span<const float> row, std::span<float> activations) const {
    const std::span<const float> weights(weights_);
    const auto out = weights.subspan(hidden_ * (inputs_ + 1));
    float result = out[hidden_];
    for (std::size_t h = 0; h < hidden_; h++) {
        const auto own = weights.subspan(h * (inputs_ + 1), inputs_ + 1);
        activations[h] = std::tanh(dot(own.first(inputs_), row) + own[inputs_]);
        result += activations[h] * out[h];
    }
    return result;
}

float Network::predict(std::span<const float> row) const {
    std::vector<float> activations(hidden_);
    return forward(row, activations);
}

Network Network::train(std::span<const float> rows, std::span<const float> targets, std::size_t inputs,
                       const TrainingOptions& options) {
    std::mt19937_64 random(options.seed);
    const std::size_t hidden = options.hidden, stride = inputs + 1;
    Network network(inputs, hidden, std::vector<float>(parameters_of(inputs, hidden)));
    auto& weights = network.weights_;
    for (std::size_t h = 0; h < hidden; h++) {
        for (std::size_t i = 0; i < inputs; i++) {
            weights[h * stride + i] = static_cast<float>(normal(random) / std::sqrt(static_cast<double>(inputs)));
        }
        weights[hidden * stride + h] = static_cast<float>(normal(random) / std::sqrt(static_cast<double>(hidden)));
    }

    std::vector<std::uint32_t> order(targets.size());
    std::iota(order.begin(), order.end(), 0U);
    std::vector<float> gradient(weights.size()), activations(hidden);
    Adam adam(weights.size());
    const std::size_t batches = (order.size() + options.batch - 1) / options.batch;
    const double steps = static_cast<double>(batches) * options.epochs;
    double step = 0;
    for (int epoch = 0; epoch < options.epochs; epoch++) {
        for (std::size_t i = order.size(); i > 1; i--) std::swap(order[i - 1], order[random() % i]);
        for (std::size_t b = 0; b < batches; b++, step++) {
            std::fill(gradient.begin(), gradient.end(), 0.0F);
            const std::size_t begin = b * options.batch, end = std::min(order.size(), begin + options.batch);
            for (std::size_t k = begin; k < end; k++) {
                const auto row = rows.subspan(order[k] * inputs, inputs);
                const float error = (network.forward(row, activations) - targets[order[k]]) / float(end - begin);
                float* out = &gradient[hidden * stride];
                out[hidden] += error;
                for (std::size_t h = 0; h < hidden; h++) {
                    out[h] += error * activations[h];
                    const float back = error * weights[hidden * stride + h] * (1 - activations[h] * activations[h]);
                    float* own = &gradient[h * stride];
                    for (std::size_t i = 0; i < inputs; i++) own[i] += back * row[i];
                    own[inputs] += back;
                }
            }
            const double share = step / steps;
            const double rate = options.rate * (0.01 + 0.99 * (1 + std::cos(std::numbers::pi * share)) / 2);
            adam.step(weights, gradient, rate, options.decay);
        }
    }
    return network;
}

}  // namespace sluice::models
