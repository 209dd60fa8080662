// The bytes of a model: a line that names the format, the parts in order, and a checksum of all before it.
#include "models/detect/state.hpp"
#include "models/life/life_models.hpp"

#include <algorithm>
#include <utility>

namespace sluice::models {

namespace {

constexpr std::string_view kFormat = "sluice-life/1\n";
constexpr std::size_t kColumnsMax = 1000, kNameBytesMax = 1000, kHiddenMax = 1000, kTreesMax = 10'000;

/// FNV-1a: finds what a disk or a copy damages.
std::uint64_t checksum(std::string_view bytes) {
    std::uint64_t hash = 0xcbf29ce484222325U;
    for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
    return hash;
}

/// Reads a count and whether so many items of at least a byte can follow.
bool read_count(ByteReader& reader, std::size_t max, std::uint32_t& count) {
    reader(count);
    return reader.good() && count <= max && count <= reader.bytes_left();
}

}  // namespace

std::string LifeModel::to_bytes() const {
    ByteWriter writer;
    writer(static_cast<std::uint32_t>(columns_.size()));
    for (const auto& name : columns_) writer(static_cast<std::uint32_t>(name.size()), name);
    writer(horizon_, mean_, deviation_, feature_mean_, feature_deviation_);
    for (const auto& member : members_) {
        writer(static_cast<std::uint32_t>(member.network.hidden()), member.network.weights(), member.trees.base(),
               static_cast<std::uint32_t>(member.trees.trees().size()));
        for (const auto& tree : member.trees.trees()) writer(tree.feature, tree.threshold, tree.leaf);
    }
    writer(under_, over_);
    std::string bytes = std::string(kFormat) + writer.take();
    ByteWriter end;
    end(checksum(bytes));
    return bytes + end.take();
}

std::optional<LifeModel> LifeModel::from_bytes(std::string_view bytes) {
    if (!bytes.starts_with(kFormat) || bytes.size() < kFormat.size() + sizeof(std::uint64_t)) return {};
    ByteReader end(bytes.substr(bytes.size() - sizeof(std::uint64_t)));
    bytes.remove_suffix(sizeof(std::uint64_t));
    std::uint64_t expected = 0;
    end(expected);
    if (checksum(bytes) != expected) return {};

    ByteReader reader(bytes.substr(kFormat.size()));
    LifeModel model;
    std::uint32_t count = 0;
    if (!read_count(reader, kColumnsMax, count) || count == 0) return {};
    model.columns_.resize(count);
    for (auto& name : model.columns_) {
        std::uint32_t length = 0;
        if (!read_count(reader, kNameBytesMax, length)) return {};
        name.resize(length);
        reader(name);
    }
    const std::size_t inputs = LifeFeatures::count(count);
    model.mean_.resize(count);
    model.deviation_.resize(count);
    model.feature_mean_.resize(inputs);
    model.feature_deviation_.resize(inputs);
    reader(model.horizon_, model.mean_, model.deviation_, model.feature_mean_, model.feature_deviation_);
    for (auto& member : model.members_) {
        std::uint32_t hidden = 0, trees = 0;
        if (!read_count(reader, kHiddenMax, hidden)) return {};
        std::vector<float> weights(Network::parameters_of(inputs, hidden));
        float base = 0;
        reader(weights, base);
        if (!read_count(reader, kTreesMax, trees)) return {};
        std::vector<BoostedTrees::Tree> grown(trees);
        for (auto& tree : grown) {
            reader(tree.feature, tree.threshold, tree.leaf);
            if (std::any_of(tree.feature.begin(), tree.feature.end(), [&](auto f) { return f >= inputs; })) return {};
        }
        member = {Network(inputs, hidden, std::move(weights)), BoostedTrees(base, std::move(grown))};
    }
    reader(model.under_, model.over_);
    if (!reader.complete() || !(model.horizon_ > 0)) return {};
    return model;
}

NamedLifeModel NamedLifeModel::of(LifeModel model) {
    const auto fingerprint = checksum(model.to_bytes());
    return {std::make_shared<const LifeModel>(std::move(model)), fingerprint};
}

}  // namespace sluice::models
