#include "agent/life_model_file.hpp"

#include "agent/config_text_file.hpp"

#include <utility>

namespace sluice::agent {

namespace {

constexpr std::size_t kModelBytesMax = 64U << 20U;  // of a thousand columns it would be half of that

}  // namespace

storage::Result<models::LifeModel> read_life_model(const std::string& path) {
    const auto bytes = read_text_file(path, kModelBytesMax);
    if (!bytes) return bytes.error();
    auto model = models::LifeModel::from_bytes(*bytes);
    if (!model) return storage::Error(storage::Errc::corrupt, path + ": not a model, or damaged (train it anew)");
    return std::move(*model);
}

}  // namespace sluice::agent
