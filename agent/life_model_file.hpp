// life_model_file.hpp: reads a model that `sluice life train` has written.
#pragma once

#include "models/life/life_model.hpp"
#include "storage/result.hpp"

#include <string>

namespace sluice::agent {

/// @return Errc::corrupt: it is not a model, or damaged
[[nodiscard]] storage::Result<models::LifeModel> read_life_model(const std::string& path);

}  // namespace sluice::agent
