#include "models/detect/detector.hpp"

#include "models/detect/change.hpp"
#include "models/detect/deviation.hpp"
#include "models/detect/drift.hpp"
#include "models/detect/extremes.hpp"

namespace sluice::models {

namespace {

struct Entry {
    DetectorMethod method;
    std::unique_ptr<Detector> (*make)(std::size_t width);
};

template <class Method>
Entry entry(std::string_view what, bool multivariate = false) {
    return {{Method::kName, what, multivariate},
            [](std::size_t width) -> std::unique_ptr<Detector> { return std::make_unique<Method>(width); }};
}

const std::vector<Entry>& entries() {
    static const std::vector<Entry> all{
        entry<ExtremesDetector>("goes where it has never been twice; the default for one value"),
        entry<DriftDetector>("means that move more than they wander; the default for several values", true),
        entry<EwmaDetector>("deviations from the running mean"),
        entry<RobustDetector>("deviations from the median of the last 128 records"),
        entry<SeasonalDetector>("deviations from what is usual at this hour of the day and week"),
        entry<CusumDetector>("a small shift that lasts, against the first 200 records"),
        entry<PageHinkleyDetector>("a small shift that lasts, against all records since the last one"),
    };
    return all;
}

}  // namespace

const std::vector<DetectorMethod>& detector_methods() {
    static const std::vector<DetectorMethod> methods = [] {
        std::vector<DetectorMethod> list;
        for (const auto& each : entries()) list.push_back(each.method);
        return list;
    }();
    return methods;
}

std::string_view default_detector_method(std::size_t width) {
    return width == 1 ? ExtremesDetector::kName : DriftDetector::kName;
}

std::unique_ptr<Detector> make_detector(std::string_view method, std::size_t width) {
    if (width == 0 || width > kDetectorWidthMax) return nullptr;
    for (const auto& each : entries()) {
        if (each.method.name == method && (width == 1 || each.method.multivariate)) return each.make(width);
    }
    return nullptr;
}

}  // namespace sluice::models
