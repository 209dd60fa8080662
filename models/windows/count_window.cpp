#include "models/numbers.hpp"
#include "models/windows/panes.hpp"
#include "models/windows/windows.hpp"

#include <array>

namespace sluice::models {

namespace {

class CountWindow final : public StatefulFunction {
    struct Head {
        std::uint32_t used;
        std::uint32_t next;  // where the next value goes: over the oldest, when all places are used
    };

 public:
    CountWindow(Aggregate aggregate, std::size_t size, double quantile)
        : aggregate_(aggregate), size_(size), quantile_(quantile) {}

    [[nodiscard]] std::size_t state_bytes() const override {
        return sizeof(Head) + size_ * sizeof(double) + (timed() ? size_ * sizeof(std::int64_t) : 0);
    }

    void start(std::byte* state, Time /*now*/) const override { head(state) = Head{0, 0}; }

    void add(std::byte* state, const Input& input) const override {
        auto& h = head(state);
        const std::size_t place = h.next % size_;
        values(state)[place] = input.values[0];
        if (timed()) times(state)[place] = to_ms(input.time);
        h.next = static_cast<std::uint32_t>((place + 1) % size_);
        if (h.used < size_) ++h.used;
    }

    double value(std::byte* state, Time /*now*/) const override {
        const auto used = std::min<std::size_t>(head(state).used, size_);
        const double* v = values(state);
        switch (aggregate_) {
            case Aggregate::avg:
                return used == 0 ? kNoValue : sum(v, used) / static_cast<double>(used);
            case Aggregate::sum:
                return sum(v, used);
            case Aggregate::count:
                return static_cast<double>(used);
            case Aggregate::min:
                return used == 0 ? kNoValue : *std::min_element(v, v + used);
            case Aggregate::max:
                return used == 0 ? kNoValue : *std::max_element(v, v + used);
            case Aggregate::stddev:
                return stddev(v, used);
            case Aggregate::quantile:
                return used == 0 ? kNoValue : quantile_of(v, used);
            case Aggregate::slope:
                return slope(state, used);
            case Aggregate::delta:
                return used == 0 ? kNoValue : v[place(state, used - 1)] - v[place(state, 0)];
            case Aggregate::changes:
                return gather<ChangeStep>(state, used);
            case Aggregate::rate: {
                if (used < 2) return kNoValue;
                const auto ms = times(state)[place(state, used - 1)] - times(state)[place(state, 0)];
                return ms <= 0 ? kNoValue : gather<CounterStep>(state, used) * 1000 / static_cast<double>(ms);
            }
        }
        return kNoValue;
    }

 private:
    static Head& head(std::byte* state) { return *reinterpret_cast<Head*>(state); }
    static double* values(std::byte* state) { return reinterpret_cast<double*>(state + sizeof(Head)); }
    [[nodiscard]] std::int64_t* times(std::byte* state) const {
        return reinterpret_cast<std::int64_t*>(state + sizeof(Head) + size_ * sizeof(double));
    }
    [[nodiscard]] bool timed() const { return aggregate_ == Aggregate::rate || aggregate_ == Aggregate::slope; }

    /// Where the i-th oldest value is.
    [[nodiscard]] std::size_t place(std::byte* state, std::size_t i) const {
        const auto& h = head(state);
        return h.used < size_ ? i : (h.next + i) % size_;
    }

    static double sum(const double* v, std::size_t used) {
        double all = 0;
        for (std::size_t i = 0; i < used; ++i) all += v[i];
        return all;
    }

    static double stddev(const double* v, std::size_t used) {
        SpreadPane::Total total{};
        for (std::size_t i = 0; i < used; ++i) total.take({v[i], 0, 1, 0}, 0);
        return total.stddev();
    }

    double slope(std::byte* state, std::size_t used) const {
        TrendPane::Total total{};
        for (std::size_t i = 0; i < used; ++i) {
            total.take({values(state)[i], 0, 0, 0, 1, 0, 0}, times(state)[i]);
        }
        return total.slope();
    }

    [[nodiscard]] double quantile_of(const double* v, std::size_t used) const {
        std::array<double, kCountWindowMax> sorted{};
        std::copy(v, v + used, sorted.begin());
        const double rank = quantile_ * static_cast<double>(used - 1);
        const auto low = sorted.begin() + static_cast<std::ptrdiff_t>(rank);
        const auto end = sorted.begin() + static_cast<std::ptrdiff_t>(used);
        std::nth_element(sorted.begin(), low, end);
        const double part = rank - std::floor(rank);
        return part == 0 ? *low : *low + (*std::min_element(low + 1, end) - *low) * part;
    }

    template <class Step>
    double gather(std::byte* state, std::size_t used) const {
        double all = 0;
        for (std::size_t i = 1; i < used; ++i) {
            all += Step{}(values(state)[place(state, i - 1)], values(state)[place(state, i)]);
        }
        return all;
    }

    Aggregate aggregate_;
    std::size_t size_;
    double quantile_;
};

}  // namespace

Function count_window(Aggregate aggregate, std::size_t values, double quantile) {
    return std::make_unique<CountWindow>(aggregate, values, quantile);
}

}  // namespace sluice::models
