// support.hpp: records for rules, written as tables.
#pragma once

#include "models/record_view.hpp"
#include "models/rules/compiler.hpp"

#include <cmath>
#include <initializer_list>
#include <map>
#include <string>
#include <variant>
#include <vector>

namespace sluice::models::test {

inline Time at(double seconds) {
    return Time(Duration(std::llround(seconds * 1000)));
}

using Content = std::variant<double, bool, std::string, std::vector<double>>;
using Fields = std::map<std::string, Content>;

/// Fills the slots of a table from a record's fields, as a decoder does. What it returns lives as long as `fields`.
inline std::vector<FieldValue> decode(const FieldTable& table, const Fields& fields) {
    std::vector<FieldValue> values(table.size());
    for (std::size_t slot = 0; slot < table.size(); ++slot) {
        const auto found = fields.find(table.paths()[slot].substr(1));
        if (found == fields.end()) continue;
        auto& value = values[slot];
        if (const auto* number = std::get_if<double>(&found->second)) {
            value = {FieldValue::Kind::number, *number, {}, {}};
        } else if (const auto* boolean = std::get_if<bool>(&found->second)) {
            value = {FieldValue::Kind::boolean, *boolean ? 1.0 : 0.0, {}, {}};
        } else if (const auto* text = std::get_if<std::string>(&found->second)) {
            value = {FieldValue::Kind::text, 0, *text, {}};
        } else {
            value = {FieldValue::Kind::numbers, 0, {}, std::get<std::vector<double>>(found->second)};
        }
    }
    return values;
}

/// One expression and one device.
class Expression {
 public:
    explicit Expression(std::string_view text, const LifeModels& models = {})
        : program_(std::get<rules::Program>(rules::compile(text, table_, {}, models))) {
        state_.resize(program_.state_bytes() / 8);
        values_.resize(program_.values());
        program_.start(state(), at(0));
    }

    /// The value after a record at `seconds`.
    double add(double seconds, const Fields& fields) {
        const auto values = decode(table_, fields);
        now_ = std::max(now_, at(seconds));
        const RecordView record{"pump-7", at(seconds), at(seconds), 0, values};
        const rules::Program::Moment moment{&record, "pump-7", at(seconds), now_};
        program_.update(state(), moment, values_);
        return program_.evaluate(moment, values_);
    }
    /// The value at `seconds`, without a record.
    double wait(double seconds) {
        now_ = at(seconds);
        program_.refresh(state(), now_, values_);
        return program_.evaluate({nullptr, "pump-7", now_, now_}, values_);
    }
    [[nodiscard]] const rules::Program& program() const { return program_; }
    [[nodiscard]] std::byte* state() { return reinterpret_cast<std::byte*>(state_.data()); }

 private:
    FieldTable table_;
    rules::Program program_;
    std::vector<std::uint64_t> state_;
    std::vector<double> values_;
    Time now_ = kLongAgo;
};

}  // namespace sluice::models::test
