#include "models/learned/learned.hpp"

#include "models/detect/block_archive.hpp"
#include "models/detect/change.hpp"
#include "models/detect/deviation.hpp"
#include "models/detect/drift.hpp"
#include "models/detect/extremes.hpp"
#include "models/life/limit_life.hpp"
#include "models/numbers.hpp"
#include "models/vibration/vibration.hpp"

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

namespace sluice::models {

namespace {

constexpr std::size_t kSamplesMin = 16;

struct LastSeen {
    std::int64_t time_ms;
    double value;
};

double to_seconds(Time time) {
    return static_cast<double>(to_ms(time)) / 1000;
}

/// A function whose state is the time and result of the newest record, and behind them all that a Model has learned.
template <class Model>
class Learned : public StatefulFunction {
 public:
    [[nodiscard]] std::size_t state_bytes() const final {
        auto model = fresh();
        BlockArchive archive(BlockArchive::Way::count, nullptr);
        model.archive(archive);
        return sizeof(LastSeen) + (archive.bytes() + 7) / 8 * 8;
    }
    void start(std::byte* state, Time /*now*/) const final {
        std::fill_n(state, state_bytes(), std::byte{0});
        last_seen(state) = {std::numeric_limits<std::int64_t>::min(), kNoValue};
        auto model = fresh();
        move(BlockArchive::Way::store, state, model);
    }
    void add(std::byte* state, const Input& input) const final {
        auto& last = last_seen(state);
        if (to_ms(input.time) < last.time_ms) return;
        auto model = fresh();
        move(BlockArchive::Way::load, state, model);
        last = {to_ms(input.time), learn(model, input)};
        move(BlockArchive::Way::store, state, model);
    }
    double value(std::byte* state, Time /*now*/) const final { return last_seen(state).value; }

 protected:
    [[nodiscard]] virtual Model fresh() const = 0;
    [[nodiscard]] virtual double learn(Model& model, const Input& input) const = 0;

 private:
    static LastSeen& last_seen(std::byte* state) { return *reinterpret_cast<LastSeen*>(state); }
    static void move(BlockArchive::Way way, std::byte* state, Model& model) {
        BlockArchive archive(way, state + sizeof(LastSeen));
        model.archive(archive);
    }
};

template <class Method>
class Anomaly final : public Learned<Method> {
    [[nodiscard]] Method fresh() const override { return Method(1); }
    [[nodiscard]] double learn(Method& method, const Input& input) const override {
        return method.score(input.values.first(1), to_seconds(input.time));
    }
};

class Life final : public Learned<LimitLife> {
 public:
    Life(double limit, std::size_t bound, double memory) : limit_(limit), memory_(memory), bound_(bound) {}

 private:
    [[nodiscard]] LimitLife fresh() const override { return {limit_, memory_}; }
    [[nodiscard]] double learn(LimitLife& life, const Input& input) const override {
        life.add(input.values[0], to_seconds(input.time));
        const auto left = life.remaining();
        return bound_ == 0 ? left.expected : bound_ == 1 ? left.low : left.high;
    }
    double limit_;
    double memory_;
    std::size_t bound_;
};

class Remaining final : public Learned<LifeFeatures> {
 public:
    Remaining(std::shared_ptr<const LifeModel> model, std::size_t bound) : model_(std::move(model)), bound_(bound) {}

 private:
    [[nodiscard]] LifeFeatures fresh() const override { return LifeFeatures(model_->columns().size()); }
    [[nodiscard]] double learn(LifeFeatures& features, const Input& input) const override {
        std::vector<float> scaled;
        model_->scale(input.values, scaled);
        features.add(scaled);
        if (features.rows() < LifeModel::kRowsMin) return kNoValue;
        const auto left = model_->predict(features);
        return bound_ == 0 ? left.expected : bound_ == 1 ? left.low : left.high;
    }
    std::shared_ptr<const LifeModel> model_;
    std::size_t bound_;
};

class SpectrumFunction final : public StatefulFunction {
 public:
    explicit SpectrumFunction(const SpectrumOptions& options) : options_(options) {}
    [[nodiscard]] std::size_t state_bytes() const override { return sizeof(LastSeen); }
    void start(std::byte* state, Time /*now*/) const override {
        *reinterpret_cast<LastSeen*>(state) = {std::numeric_limits<std::int64_t>::min(), kNoValue};
    }
    void add(std::byte* state, const Input& input) const override {
        auto& newest = *reinterpret_cast<LastSeen*>(state);
        if (to_ms(input.time) < newest.time_ms || input.samples.size() < kSamplesMin) return;
        std::vector<float> samples(input.samples.size());
        std::transform(input.samples.begin(), input.samples.end(), samples.begin(),
                       [](double sample) { return static_cast<float>(sample); });
        newest = {to_ms(input.time), feature(samples)};
    }
    double value(std::byte* state, Time /*now*/) const override { return reinterpret_cast<LastSeen*>(state)->value; }

 private:
    [[nodiscard]] double feature(std::span<const float> samples) const {
        const auto name = kSpectrumFeatures.at(options_.feature);
        const auto levels = vibration_levels(samples);
        if (name == "rms") return levels.rms;
        if (name == "peak") return levels.peak;
        if (name == "crest_factor") return levels.crest_factor;
        if (name == "kurtosis") return levels.kurtosis;
        if (!(options_.rate > 0)) return kNoValue;
        const double high = options_.high > 0 ? options_.high : options_.rate / 2;
        if (name == "band_rms") return Spectrum(samples, options_.rate).band_rms(options_.low, high);
        if (name == "peak_frequency") return Spectrum(samples, options_.rate).peak_frequency();
        return defect_level(envelope_spectrum(samples, options_.rate, options_.low, high), options_.hz);
    }
    const SpectrumOptions options_;
};

template <class Method>
std::unique_ptr<const StatefulFunction> make() {
    return std::make_unique<Anomaly<Method>>();
}

}  // namespace

std::unique_ptr<const StatefulFunction> anomaly(std::size_t method) {
    static constexpr std::array<std::unique_ptr<const StatefulFunction> (*)(), kAnomalyMethods.size()> kMake{
        make<ExtremesDetector>, make<DriftDetector>, make<EwmaDetector>,       make<RobustDetector>,
        make<SeasonalDetector>, make<CusumDetector>, make<PageHinkleyDetector>};
    return kMake.at(method)();
}

std::unique_ptr<const StatefulFunction> life(double limit, std::size_t bound, double memory_seconds) {
    return std::make_unique<Life>(limit, bound, memory_seconds);
}

std::unique_ptr<const StatefulFunction> remaining(std::shared_ptr<const LifeModel> model, std::size_t bound) {
    return std::make_unique<Remaining>(std::move(model), bound);
}

std::size_t remaining_column_bytes() {
    LifeFeatures none(0), one(1);
    BlockArchive of_none(BlockArchive::Way::count, nullptr), of_one(BlockArchive::Way::count, nullptr);
    none.archive(of_none);
    one.archive(of_one);
    return of_one.bytes() - of_none.bytes();
}

std::unique_ptr<const StatefulFunction> spectrum(const SpectrumOptions& options) {
    return std::make_unique<SpectrumFunction>(options);
}

}  // namespace sluice::models
