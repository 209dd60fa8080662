// life_models.hpp: the learned models that rules may name.
#pragma once

#include "models/life/life_model.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

namespace sluice::models {

struct NamedLifeModel {
    std::shared_ptr<const LifeModel> model;
    std::uint64_t fingerprint = 0;  ///< of its bytes: what was gathered for one model means nothing to another

    static NamedLifeModel of(LifeModel model);
    friend bool operator==(const NamedLifeModel& a, const NamedLifeModel& b) { return a.fingerprint == b.fingerprint; }
};

using LifeModels = std::map<std::string, NamedLifeModel, std::less<>>;

}  // namespace sluice::models
