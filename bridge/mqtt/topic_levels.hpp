// topic_levels.hpp: the levels of a topic name or filter, one after the other.
#pragma once

#include <cstddef>
#include <functional>
#include <string_view>

namespace sluice::bridge::mqtt {

/// Takes the first level off the front; `more` says whether another one follows.
inline std::string_view take_level(std::string_view& rest, bool& more) {
    const auto slash = rest.find('/');
    const auto level = rest.substr(0, slash);
    more = slash != std::string_view::npos;
    rest = more ? rest.substr(slash + 1) : std::string_view();
    return level;
}

/// For maps from levels that are looked into without making a string.
struct LevelHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};

}  // namespace sluice::bridge::mqtt
