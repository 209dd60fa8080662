// topic_filter.hpp: MQTT topic filters: validity, and matching with named captures.
//
// A level of a filter may be a capture, {name}: it matches like "+" and gives its level a name for templates.
// Source: MQTT 5 section 4.7; a leading wildcard does not match topics that begin with "$" [MQTT-4.7.2-1].
// Lives beside the protocol but knows no client library, so that routes can use it.
#pragma once

#include "storage/result.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::bridge::mqtt {

class TopicFilter {
 public:
    /// @return Errc::invalid, with what is wrong, for a filter that MQTT forbids, a bad or repeated capture name
    [[nodiscard]] static storage::Result<TopicFilter> parse(std::string_view text);

    /// The filter as a broker knows it: captures become "+".
    [[nodiscard]] std::string subscription() const;
    [[nodiscard]] const std::vector<std::string>& capture_names() const { return names_; }

    /// Whether the topic matches; then `captures` holds the captured levels in the order of capture_names().
    [[nodiscard]] bool matches(std::string_view topic, std::vector<std::string_view>& captures) const;

    /// Whether some topic matches both.
    [[nodiscard]] bool overlaps(const TopicFilter& other) const;
    /// Whether each topic that matches `other` matches this one.
    [[nodiscard]] bool covers(const TopicFilter& other) const;

 private:
    enum class Kind : std::uint8_t { literal, any, capture, rest };
    struct Level {
        Kind kind;
        std::string text;  // of a literal
    };
    std::vector<Level> levels_;
    std::vector<std::string> names_;
};

}  // namespace sluice::bridge::mqtt
