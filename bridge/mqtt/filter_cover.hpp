// filter_cover.hpp: whether one topic filter takes in all that another one does.
#pragma once

#include <string_view>

namespace sluice::bridge::mqtt {

/// Whether every topic that matches `other` matches `filter` too. A topic name is a filter that only itself matches, so
/// this tells as well whether a topic matches a filter.
/// A wildcard at the beginning doesn't take in topics that begin with "$" [MQTT-4.7.2-1].
/// @param filter, other  valid filters, neither of them shared
[[nodiscard]] bool covers(std::string_view filter, std::string_view other);

}  // namespace sluice::bridge::mqtt
