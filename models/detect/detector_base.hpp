// detector_base.hpp: what every detector does alike: its state as bytes, its size, and the score of a normal deviate.
#pragma once

#include "models/detect/detector.hpp"
#include "models/detect/state.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace sluice::models {

/// A method is a class with kName, a constructor from the width, and `archive(Archive&)` over all that it has learned.
template <class Method>
class DetectorBase : public Detector {
 public:
    [[nodiscard]] std::size_t memory_bytes() const override { return sizeof(Method) + self().heap_bytes(); }
    [[nodiscard]] std::size_t heap_bytes() const { return 0; }

    [[nodiscard]] std::string save() const override {
        ByteWriter writer;
        writer(self());
        return header() + writer.take();
    }
    [[nodiscard]] bool restore(std::string_view state) override {
        Method restored(width());
        const std::string expected = header();
        bool good = state.starts_with(expected);
        if (good) {
            ByteReader reader(state.substr(expected.size()));
            reader(restored);
            good = reader.complete();
        }
        static_cast<Method&>(*this) = good ? std::move(restored) : Method(width());
        return good;
    }

 private:
    [[nodiscard]] const Method& self() const { return static_cast<const Method&>(*this); }
    /// Method, width and version of the layout: a state of another is refused.
    [[nodiscard]] std::string header() const {
        return std::string(Method::kName) + "/" + std::to_string(width()) + "/1\n";
    }
};

/// The share of a normal distribution that lies nearer to the mean than `z` standard deviations.
inline double score_of_deviate(double z) {
    return 1.0 - std::erfc(std::fabs(z) / std::sqrt(2.0));
}

/// The step of a mean that is plain over the first records and exponential later.
inline double step_of(std::uint64_t count, double least) {
    return std::max(1.0 / static_cast<double>(count), least);
}

}  // namespace sluice::models
