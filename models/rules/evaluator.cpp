#include "models/rules/evaluator.hpp"

#include "models/numbers.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace sluice::models::rules {

namespace {

constexpr FieldValue kMissing{};

double truth(bool value) {
    return value ? 1 : 0;
}

/// 53 bits of FNV-1a: equal texts give equal numbers, different ones different numbers but for one pair in 10^15.
double hashed(std::string_view bytes) {
    std::uint64_t hash = 14695981039346656037U;
    for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
    return static_cast<double>(hash >> 11U);
}

double mean_square(std::span<const double> numbers) {
    double sum = 0;
    for (const double value : numbers) sum += value * value;
    return sum / static_cast<double>(numbers.size());
}

}  // namespace

bool glob_matches(std::string_view pattern, std::string_view text) {
    std::size_t p = 0;
    std::size_t t = 0;
    std::size_t star = std::string_view::npos;  // the last "*", and what it has taken so far
    std::size_t taken = 0;
    while (t < text.size()) {
        if (p < pattern.size() && pattern[p] == '*') {
            star = p++;
            taken = t;
        } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
            ++p;
            ++t;
        } else if (star != std::string_view::npos) {
            p = star + 1;
            t = ++taken;
        } else {
            return false;
        }
    }
    return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

double Evaluator::number(std::uint32_t step) const {
    const auto& s = steps_[step];
    switch (s.code) {
        case Opcode::literal:
            return s.number;
        case Opcode::state:
            return values_[s.a];
        case Opcode::field_number:
        case Opcode::field_boolean:
        case Opcode::field_any:
        case Opcode::has:
            return of_field(s);
        case Opcode::hour:
        case Opcode::weekday:
        case Opcode::age:
            return of_record(s);
        case Opcode::if_else: {
            const double condition = number(s.a);
            return std::isnan(condition) ? kNoValue : number(condition != 0 ? s.b : s.c);
        }
        case Opcode::when:
            return number(s.a) == 1 ? number(s.b) : kNoValue;
        case Opcode::or_default: {
            const double value = number(s.a);
            return std::isnan(value) ? number(s.b) : value;
        }
        case Opcode::text_equal:
        case Opcode::text_not_equal:
        case Opcode::glob:
        case Opcode::not_glob:
        case Opcode::contains:
        case Opcode::starts_with:
        case Opcode::ends_with:
        case Opcode::text_length:
            return of_texts(s);
        case Opcode::numbers_length:
        case Opcode::mean:
        case Opcode::rms:
        case Opcode::peak:
            return of_array(s);
        default:
            return s.code <= Opcode::logic_not ? of_operator(s) : of_function(s);
    }
}

double Evaluator::of_operator(const Program::Step& s) const {
    const double a = number(s.a);
    switch (s.code) {
        case Opcode::negate:
            return -a;
        case Opcode::logic_not:
            return 1 - a;
        case Opcode::logic_and: {
            if (a == 0) return 0;
            const double b = number(s.b);
            return b == 0 ? 0 : a * b;  // 1, or NaN where either is
        }
        case Opcode::logic_or: {
            if (a == 1) return 1;
            const double b = number(s.b);
            return b == 1 ? 1 : a + b;
        }
        default:
            break;
    }
    const double b = number(s.b);
    if (std::isnan(a) || std::isnan(b)) return kNoValue;
    switch (s.code) {
        case Opcode::add:
            return a + b;
        case Opcode::subtract:
            return a - b;
        case Opcode::multiply:
            return a * b;
        case Opcode::divide:
            return b == 0 ? kNoValue : a / b;
        case Opcode::less:
            return truth(a < b);
        case Opcode::less_equal:
            return truth(a <= b);
        case Opcode::greater:
            return truth(a > b);
        case Opcode::greater_equal:
            return truth(a >= b);
        case Opcode::equal:
            return truth(a == b);
        case Opcode::not_equal:
            return truth(a != b);
        default:
            return kNoValue;
    }
}

double Evaluator::of_function(const Program::Step& s) const {
    const double a = number(s.a);
    switch (s.code) {
        case Opcode::abs:
            return std::abs(a);
        case Opcode::sqrt:
            return a < 0 ? kNoValue : std::sqrt(a);
        case Opcode::exp:
            return std::exp(a);
        case Opcode::ln:
            return a <= 0 ? kNoValue : std::log(a);
        case Opcode::log10:
            return a <= 0 ? kNoValue : std::log10(a);
        case Opcode::floor:
            return std::floor(a);
        case Opcode::ceil:
            return std::ceil(a);
        case Opcode::round:
            return std::round(a);
        case Opcode::sign:
            return std::isnan(a) ? a : truth(a > 0) - truth(a < 0);
        default:
            break;
    }
    const double b = number(s.b);
    if (std::isnan(a) || std::isnan(b)) return kNoValue;
    switch (s.code) {
        case Opcode::pow:
            return std::pow(a, b);
        case Opcode::least:
            return std::min(a, b);
        case Opcode::greatest:
            return std::max(a, b);
        case Opcode::clamp: {
            const double c = number(s.c);
            return std::isnan(c) ? c : std::min(std::max(a, b), c);
        }
        default:
            return kNoValue;
    }
}

double Evaluator::of_texts(const Program::Step& s) const {
    const auto a = text(s.a);
    if (a.data() == nullptr) return kNoValue;
    if (s.code == Opcode::text_length) return static_cast<double>(a.size());
    const auto b = text(s.b);
    if (b.data() == nullptr) return kNoValue;
    switch (s.code) {
        case Opcode::text_equal:
            return truth(a == b);
        case Opcode::text_not_equal:
            return truth(a != b);
        case Opcode::glob:
            return truth(glob_matches(b, a));
        case Opcode::not_glob:
            return truth(!glob_matches(b, a));
        case Opcode::contains:
            return truth(a.find(b) != std::string_view::npos);
        case Opcode::starts_with:
            return truth(a.starts_with(b));
        case Opcode::ends_with:
            return truth(a.ends_with(b));
        default:
            return kNoValue;
    }
}

double Evaluator::of_array(const Program::Step& s) const {
    const auto array = numbers(s.a);
    if (array.empty()) return kNoValue;
    switch (s.code) {
        case Opcode::numbers_length:
            return static_cast<double>(array.size());
        case Opcode::rms:
            return std::sqrt(mean_square(array));
        case Opcode::mean: {
            double sum = 0;
            for (const double value : array) sum += value;
            return sum / static_cast<double>(array.size());
        }
        case Opcode::peak: {
            double peak = 0;
            for (const double value : array) peak = std::max(peak, std::abs(value));
            return peak;
        }
        default:
            return kNoValue;
    }
}

double Evaluator::of_record(const Program::Step& s) const {
    if (moment_.record == nullptr) return kNoValue;
    if (s.code == Opcode::age) return static_cast<double>(to_ms(moment_.record->arrival) - to_ms(moment_.time)) / 1000;
    const auto day = std::chrono::floor<std::chrono::days>(moment_.time);
    if (s.code == Opcode::weekday) return std::chrono::weekday(day).iso_encoding();
    return static_cast<double>(std::chrono::floor<std::chrono::hours>(moment_.time - day).count());
}

const FieldValue& Evaluator::field(const Program::Step& s) const {
    return moment_.record == nullptr ? kMissing : moment_.record->fields[s.a];
}

double Evaluator::of_field(const Program::Step& s) const {
    using FieldKind = FieldValue::Kind;
    const auto& value = field(s);
    const bool numeric = value.kind == FieldKind::number || value.kind == FieldKind::boolean;
    switch (s.code) {
        case Opcode::field_number:
            return numeric ? value.number : kNoValue;
        case Opcode::field_boolean:
            return numeric ? truth(value.number != 0) : kNoValue;
        case Opcode::has:
            return moment_.record == nullptr ? kNoValue : truth(value.kind != FieldKind::missing);
        default:
            break;
    }
    if (numeric) return value.number;
    if (value.kind == FieldKind::text) return hashed(value.text);
    if (value.kind == FieldKind::missing) return kNoValue;
    return hashed({reinterpret_cast<const char*>(value.numbers.data()), value.numbers.size_bytes()});
}

std::string_view Evaluator::text(std::uint32_t step) const {
    const auto& s = steps_[step];
    switch (s.code) {
        case Opcode::text_literal:
            return texts_[s.a];
        case Opcode::device:
            return moment_.device;
        case Opcode::field_text: {
            const auto& value = field(s);
            if (value.kind != FieldValue::Kind::text) return {};
            return value.text.data() == nullptr ? "" : value.text;
        }
        case Opcode::if_else: {
            const double condition = number(s.a);
            return std::isnan(condition) ? std::string_view() : text(condition != 0 ? s.b : s.c);
        }
        case Opcode::when:
            return number(s.a) == 1 ? text(s.b) : std::string_view();
        case Opcode::or_default: {
            const auto value = text(s.a);
            return value.data() == nullptr ? text(s.b) : value;
        }
        default:
            return {};
    }
}

std::span<const double> Evaluator::numbers(std::uint32_t step) const {
    const auto& s = steps_[step];
    if (s.code != Opcode::field_numbers) return {};
    const auto& value = field(s);
    return value.kind == FieldValue::Kind::numbers ? value.numbers : std::span<const double>();
}

}  // namespace sluice::models::rules
