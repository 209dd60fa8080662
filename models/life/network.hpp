// network.hpp: a small neural network that learns a number from features: one hidden layer, tanh, squared error.
//
// Training is deterministic: the same rows and seed give the same weights on one machine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace sluice::models {

struct TrainingOptions {
    std::size_t hidden = 16;
    int epochs = 20;
    double rate = 0.003;  ///< Adam's, falling to a hundredth along a cosine
    double decay = 1e-4;  ///< of the weights, for each unit of rate (decoupled, as in AdamW)
    std::size_t batch = 64;
    std::uint64_t seed = 1;
};

class Network {
 public:
    Network() = default;
    /// Without training: takes the weights of a file. `weights` are parameters_of(inputs, hidden).
    Network(std::size_t inputs, std::size_t hidden, std::vector<float> weights);

    /// @param rows     features of all rows, one row after the other, each scaled to about mean 0 and deviation 1
    /// @param targets  one a row, of about the same scale
    static Network train(std::span<const float> rows, std::span<const float> targets, std::size_t inputs,
                         const TrainingOptions& options);

    [[nodiscard]] float predict(std::span<const float> row) const;

    [[nodiscard]] std::size_t inputs() const { return inputs_; }
    [[nodiscard]] std::size_t hidden() const { return hidden_; }
    [[nodiscard]] std::span<const float> weights() const { return weights_; }
    static std::size_t parameters_of(std::size_t inputs, std::size_t hidden) { return hidden * (inputs + 2) + 1; }

 private:
    /// Hidden activations of `row` into `activations`; returns the output.
    float forward(std::span<const float> row, std::span<float> activations) const;

    std::size_t inputs_ = 0, hidden_ = 0;
    std::vector<float> weights_;  ///< for each hidden unit its input weights and bias; then the output's, then its bias
};

}  // namespace sluice::models
