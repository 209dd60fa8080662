#include "models/rules/program.hpp"

#include "models/rules/evaluator.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace sluice::models::rules {

void Program::start(std::byte* state, Time now) const {
    for (const auto& stateful : stateful_) stateful.function->start(state + stateful.state, now);
}

void Program::update(std::byte* state, const Moment& moment, std::span<double> values) const {
    const Evaluator evaluator(steps_, texts_, moment, values);
    std::array<double, kArgumentsMax> arguments;
    for (std::size_t i = 0; i < stateful_.size(); ++i) {
        const auto& stateful = stateful_[i];
        bool complete = true;
        for (std::size_t k = 0; k < stateful.arguments.size(); ++k) {
            arguments[k] = evaluator.number(stateful.arguments[k]);
            complete = complete && std::isfinite(arguments[k]);
        }
        std::span<const double> samples;
        if (stateful.samples != kNoStep) {
            samples = evaluator.numbers(stateful.samples);
            complete = complete && !samples.empty();
        }
        if (complete) {
            stateful.function->add(state + stateful.state,
                                   {stateful.anew ? std::max(moment.time, moment.since) : moment.time,
                                    {arguments.data(), stateful.arguments.size()},
                                    samples});
        }
        values[i] = stateful.function->value(state + stateful.state, moment.now);
    }
}

void Program::refresh(std::byte* state, Time now, std::span<double> values) const {
    for (std::size_t i = 0; i < stateful_.size(); ++i) {
        values[i] = stateful_[i].function->value(state + stateful_[i].state, now);
    }
}

void Program::begin_anew(std::byte* state, Time now) const {
    for (const auto& stateful : stateful_) {
        if (stateful.anew) stateful.function->start(state + stateful.state, now);
    }
}

double Program::evaluate(const Moment& moment, std::span<const double> values) const {
    return Evaluator(steps_, texts_, moment, values).number(root_);
}

std::string_view Program::evaluate_text(const Moment& moment) const {
    return Evaluator(steps_, texts_, moment, {}).text(root_);
}

Time Program::next_change(const std::byte* state, Time now) const {
    Time next = kNever;
    for (const auto i : timed_)
        next = std::min(next, stateful_[i].function->next_change(state + stateful_[i].state, now));
    return next;
}

std::vector<Observation> Program::observe(const Moment& moment, std::span<const double> values) const {
    const Evaluator evaluator(steps_, texts_, moment, values);
    std::vector<Observation> all;
    for (const auto& observed : observed_) {
        all.push_back({observed.text, observed.threshold, evaluator.number(observed.left),
                       evaluator.number(observed.whole) == 1});
    }
    return all;
}

}  // namespace sluice::models::rules
