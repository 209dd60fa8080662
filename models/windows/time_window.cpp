#include "models/numbers.hpp"
#include "models/windows/pane_window.hpp"
#include "models/windows/panes.hpp"
#include "models/windows/quantile_pane.hpp"
#include "models/windows/windows.hpp"

namespace sluice::models {

namespace {

constexpr std::size_t kPanes = 32;
constexpr std::size_t kQuantilePanes = 16;

template <class Pane, class Result>
Function window(Duration length, Result result) {
    return std::make_unique<PaneWindow<Pane, kPanes, Result>>(length, result);
}

double rate_of(const EdgePane<CounterStep>::Total& total) {
    const auto ms = static_cast<double>(total.last_ms - total.first_ms);
    return total.count < 2 || ms <= 0 ? kNoValue : total.gathered * 1000 / ms;
}

}  // namespace

Function time_window(Aggregate aggregate, Duration length, double quantile) {
    using Counter = EdgePane<CounterStep>;
    using Change = EdgePane<ChangeStep>;
    switch (aggregate) {
        case Aggregate::avg:
            return window<SumPane>(length, [](const auto& t) { return t.count == 0 ? kNoValue : t.sum / t.count; });
        case Aggregate::sum:
            return window<SumPane>(length, [](const auto& t) { return t.sum; });
        case Aggregate::count:
            return window<SumPane>(length, [](const auto& t) { return t.count; });
        case Aggregate::min:
            return window<ExtremePane<1>>(length, [](const auto& t) { return t.value(); });
        case Aggregate::max:
            return window<ExtremePane<-1>>(length, [](const auto& t) { return t.value(); });
        case Aggregate::stddev:
            return window<SpreadPane>(length, [](const auto& t) { return t.stddev(); });
        case Aggregate::slope:
            return window<TrendPane>(length, [](const auto& t) { return t.slope(); });
        case Aggregate::rate:
            return window<Counter>(length, rate_of);
        case Aggregate::delta:
            return window<Counter>(length, [](const auto& t) { return t.count == 0 ? kNoValue : t.last - t.first; });
        case Aggregate::changes:
            return window<Change>(length, [](const auto& t) { return t.gathered; });
        case Aggregate::quantile: {
            const auto result = [quantile](const auto& t) { return t.quantile(quantile); };
            return std::make_unique<PaneWindow<QuantilePane, kQuantilePanes, decltype(result)>>(length, result);
        }
    }
    return nullptr;
}

}  // namespace sluice::models
