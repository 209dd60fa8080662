// evaluator.hpp: the values of a program's steps at one moment.
#pragma once

#include "models/rules/program.hpp"

namespace sluice::models::rules {

class Evaluator {
 public:
    Evaluator(std::span<const Program::Step> steps, std::span<const std::string> texts, const Program::Moment& moment,
              std::span<const double> values)
        : steps_(steps), texts_(texts), moment_(moment), values_(values) {}

    /// Of a step that gives a number or a boolean (0, 1); NaN where there is none.
    [[nodiscard]] double number(std::uint32_t step) const;
    /// Of a step that gives a text; data() is nullptr where there is none.
    [[nodiscard]] std::string_view text(std::uint32_t step) const;
    /// Of a step that gives an array; empty where there is none.
    [[nodiscard]] std::span<const double> numbers(std::uint32_t step) const;

 private:
    [[nodiscard]] const FieldValue& field(const Program::Step& step) const;
    [[nodiscard]] double of_field(const Program::Step& step) const;
    [[nodiscard]] double of_record(const Program::Step& step) const;
    [[nodiscard]] double of_operator(const Program::Step& step) const;
    [[nodiscard]] double of_texts(const Program::Step& step) const;
    [[nodiscard]] double of_array(const Program::Step& step) const;
    [[nodiscard]] double of_function(const Program::Step& step) const;

    std::span<const Program::Step> steps_;
    std::span<const std::string> texts_;
    const Program::Moment& moment_;
    std::span<const double> values_;
};

/// `*` stands for any bytes, `?` for one. Time grows with the product of the lengths at most.
[[nodiscard]] bool glob_matches(std::string_view pattern, std::string_view text);

}  // namespace sluice::models::rules
