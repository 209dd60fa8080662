#include "bridge/mqtt/topic_name.hpp"

#include <algorithm>

namespace sluice::bridge::mqtt {

bool is_topic_name(std::string_view text) {
    return !text.empty() && text.find_first_of("+#") == std::string_view::npos;
}

bool is_topic_filter(std::string_view text) {
    if (text.empty()) return false;
    for (auto at = text.find_first_of("+#"); at != std::string_view::npos; at = text.find_first_of("+#", at + 1)) {
        if (at > 0 && text[at - 1] != '/') return false;
        const bool last = at + 1 == text.size();
        if (text[at] == '#' ? !last : !last && text[at + 1] != '/') return false;
    }
    return true;
}

bool has_too_many_levels(std::string_view topic_or_filter) {
    return static_cast<std::size_t>(std::count(topic_or_filter.begin(), topic_or_filter.end(), '/')) >= kTopicLevelsMax;
}

std::optional<SharedFilter> parse_shared(std::string_view text) {
    constexpr std::string_view kPrefix = "$share/";
    if (!is_shared(text)) return std::nullopt;
    text.remove_prefix(kPrefix.size());
    const auto slash = text.find('/');
    if (slash == std::string_view::npos || slash == 0) return std::nullopt;
    const SharedFilter shared{text.substr(0, slash), text.substr(slash + 1)};
    if (!is_topic_name(shared.group) || !is_topic_filter(shared.filter)) return std::nullopt;
    return shared;
}

}  // namespace sluice::bridge::mqtt
