// topic_name.hpp: which texts are topic names and topic filters on the wire, and shared subscriptions.
//
// Sources: MQTT 5 sections 4.7 and 4.8.2. (Filters of routes, with their captures, are topic_filter.hpp's.)
#pragma once

#include <optional>
#include <string_view>

namespace sluice::bridge::mqtt {

/// Not empty, and without wildcards [MQTT-4.7.3-1], [MQTT-3.3.2-2]. That it is UTF-8 was checked before.
[[nodiscard]] bool is_topic_name(std::string_view text);
/// Not empty, "#" only as the last level, "+" and "#" only as whole levels [MQTT-4.7.1-1], [MQTT-4.7.1-2].
[[nodiscard]] bool is_topic_filter(std::string_view text);
/// More levels than any plant has, and few enough for what walks them one in the other.
inline constexpr std::size_t kTopicLevelsMax = 128;
[[nodiscard]] bool has_too_many_levels(std::string_view topic_or_filter);

struct SharedFilter {
    std::string_view group;
    std::string_view filter;
};
/// Whether a filter asks for a shared subscription, well formed or not.
[[nodiscard]] inline bool is_shared(std::string_view text) {
    return text.starts_with("$share/");
}
/// "$share/GROUP/FILTER"; nullopt where the group is missing or has wildcards, or the filter is none
/// [MQTT-4.8.2-1], [MQTT-4.8.2-2].
[[nodiscard]] std::optional<SharedFilter> parse_shared(std::string_view text);

}  // namespace sluice::bridge::mqtt
