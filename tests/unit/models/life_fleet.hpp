// life_fleet.hpp: units that run to their failure, and a model that was learned from them.
#pragma once

#include "models/life/life_models.hpp"

#include <algorithm>
#include <random>
#include <string>
#include <variant>
#include <vector>

namespace sluice::models {

/// Units that live 100 to 200 rows; one sensor rises in the last 100 of them, one is noise, one never changes.
inline std::vector<LifeHistory> fleet(std::size_t units, unsigned seed) {
    std::mt19937_64 random(seed);
    std::normal_distribution<double> normal;
    std::vector<LifeHistory> histories(units);
    for (auto& history : histories) {
        const int life = 100 + static_cast<int>(random() % 100);
        for (int i = 0; i < life; i++) {
            const double wear = std::max(0.0, 1 - (life - i) / 100.0);
            history.rows.push_back({500 + 10 * wear + normal(random), normal(random), 7});
        }
    }
    return histories;
}

inline const std::vector<std::string> kColumns{"temperature", "noise", "constant"};

inline LifeModel trained() {
    static const auto model = std::get<LifeModel>(LifeModel::train(kColumns, fleet(40, 1), {}));
    return model;
}

inline LifeModels pump_model() {
    return {{"pump", NamedLifeModel::of(trained())}};
}

}  // namespace sluice::models
