#include "models/windows/memories.hpp"

#include "models/numbers.hpp"

#include <cmath>
#include <limits>

namespace sluice::models {

namespace {

/// A function whose state is a structure of type S.
template <class S>
class Memory : public StatefulFunction {
 public:
    static_assert(sizeof(S) % 8 == 0 && alignof(S) <= 8);
    [[nodiscard]] std::size_t state_bytes() const final { return sizeof(S); }

 protected:
    static S& of(std::byte* state) { return *reinterpret_cast<S*>(state); }
    static const S& of(const std::byte* state) { return *reinterpret_cast<const S*>(state); }
};

struct Newest {
    std::int64_t time_ms;
    double value;
};
constexpr std::int64_t kBefore = std::numeric_limits<std::int64_t>::min();

class Last final : public Memory<Newest> {
 public:
    void start(std::byte* state, Time /*now*/) const override { of(state) = {kBefore, kNoValue}; }
    void add(std::byte* state, const Input& input) const override {
        if (to_ms(input.time) >= of(state).time_ms) of(state) = {to_ms(input.time), input.values[0]};
    }
    double value(std::byte* state, Time /*now*/) const override { return of(state).value; }
};

struct LastTwo {
    std::int64_t time_ms;
    double newest;
    double before;
};

class Previous final : public Memory<LastTwo> {
 public:
    void start(std::byte* state, Time /*now*/) const override { of(state) = {kBefore, kNoValue, kNoValue}; }
    void add(std::byte* state, const Input& input) const override {
        auto& s = of(state);
        if (to_ms(input.time) >= s.time_ms) s = {to_ms(input.time), input.values[0], s.newest};
    }
    double value(std::byte* state, Time /*now*/) const override { return of(state).before; }
};

class Ewma final : public Memory<Newest> {
 public:
    explicit Ewma(Duration memory) : memory_ms_(static_cast<double>(memory.count())) {}
    void start(std::byte* state, Time /*now*/) const override { of(state) = {kBefore, kNoValue}; }
    void add(std::byte* state, const Input& input) const override {
        auto& s = of(state);
        const auto time_ms = to_ms(input.time);
        if (time_ms < s.time_ms) return;
        if (std::isnan(s.value)) {
            s.value = input.values[0];
        } else {
            const double share = -std::expm1(static_cast<double>(s.time_ms - time_ms) / memory_ms_);
            s.value += (input.values[0] - s.value) * share;
        }
        s.time_ms = time_ms;
    }
    double value(std::byte* state, Time /*now*/) const override { return of(state).value; }

 private:
    double memory_ms_;
};

class Hysteresis final : public Memory<Newest> {
 public:
    Hysteresis(double on, double off) : on_(on), off_(off) {}
    void start(std::byte* state, Time /*now*/) const override { of(state) = {kBefore, 0}; }
    void add(std::byte* state, const Input& input) const override {
        auto& s = of(state);
        if (to_ms(input.time) < s.time_ms) return;
        s.time_ms = to_ms(input.time);
        const double value = input.values[0];
        if (on_ >= off_ ? value > on_ : value < on_) {
            s.value = 1;
        } else if (on_ >= off_ ? value < off_ : value > off_) {
            s.value = 0;
        }
    }
    double value(std::byte* state, Time /*now*/) const override { return of(state).value; }

 private:
    double on_;
    double off_;
};

struct Since {
    std::int64_t time_ms;   // of the newest input
    std::int64_t since_ms;  // kBefore while the condition is false
};

class Lasting final : public Memory<Since> {
 public:
    void start(std::byte* state, Time /*now*/) const override { of(state) = {kBefore, kBefore}; }
    void add(std::byte* state, const Input& input) const override {
        auto& s = of(state);
        const auto time_ms = to_ms(input.time);
        if (time_ms < s.time_ms) return;
        s.time_ms = time_ms;
        if (input.values[0] == 0) {
            s.since_ms = kBefore;
        } else if (s.since_ms == kBefore) {
            s.since_ms = time_ms;
        }
    }
    double value(std::byte* state, Time now) const override {
        const auto& s = of(state);
        return s.since_ms == kBefore ? 0 : static_cast<double>(to_ms(now) - s.since_ms) / 1000;
    }
};

struct Seen {
    std::int64_t time_ms;
};

class Absent final : public Memory<Seen> {
 public:
    explicit Absent(Duration length) : length_(length) {}
    void start(std::byte* state, Time now) const override { of(state) = {to_ms(now)}; }
    void add(std::byte* state, const Input& input) const override {
        of(state).time_ms = std::max(of(state).time_ms, to_ms(input.time));
    }
    double value(std::byte* state, Time now) const override { return now >= due(state) ? 1 : 0; }
    [[nodiscard]] bool moved_by_time() const override { return true; }
    [[nodiscard]] Time next_change(const std::byte* state, Time now) const override {
        return due(state) > now ? due(state) : kNever;
    }

 private:
    [[nodiscard]] Time due(const std::byte* state) const { return later(Time(Duration(of(state).time_ms)), length_); }
    Duration length_;
};

}  // namespace

Function last_value() {
    return std::make_unique<Last>();
}
Function previous_value() {
    return std::make_unique<Previous>();
}
Function ewma(Duration memory) {
    return std::make_unique<Ewma>(memory);
}
Function hysteresis(double on, double off) {
    return std::make_unique<Hysteresis>(on, off);
}
Function lasting() {
    return std::make_unique<Lasting>();
}
Function absent(Duration length) {
    return std::make_unique<Absent>(length);
}

}  // namespace sluice::models
