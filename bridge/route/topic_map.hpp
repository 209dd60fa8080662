// topic_map.hpp: which stream a message goes to, and the record it becomes. The first route that matches decides.
//
// Immutable once made; any thread may route.
#pragma once

#include "bridge/message.hpp"
#include "bridge/mqtt/topic_filter.hpp"
#include "bridge/route/route.hpp"
#include "storage/record.hpp"
#include "storage/result.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace sluice::bridge {

/// What is wrong with a route; `field` is the key of RouteOptions, as the configuration names it.
struct RouteFault {
    std::size_t route;
    std::string field;
    std::string what;
};

/// A text with {captures} in it.
class Template {
 public:
    /// @return nullopt for a text whose braces don't name captures of the filter; `fault` says what is wrong
    [[nodiscard]] static std::optional<Template> parse(std::string_view text, const std::vector<std::string>& names,
                                                       std::string& fault);
    [[nodiscard]] std::string fill(const std::vector<std::string_view>& captures) const;

 private:
    struct Part {
        std::string literal;                 // comes first
        std::optional<std::size_t> capture;  // then this one
    };
    std::vector<Part> parts_;
};

struct Routed {
    const std::string* stream;  ///< nullptr: no route matches; the record is as it would have been, without a key
    storage::Record record;
};

class TopicMap {
 public:
    /// @return the map, or every fault of every route
    [[nodiscard]] static std::variant<TopicMap, std::vector<RouteFault>> create(
        const std::vector<RouteOptions>& routes);

    /// Makes the record. Its value is the payload (an empty payload is an empty value, not a tombstone: MQTT has no
    /// null). A timestamp that can't be read, or can't be right, leaves the time of arrival, and the header
    /// sluice.timestamp-error.
    [[nodiscard]] Routed route(Message message) const;

 private:
    struct Route {
        mqtt::TopicFilter filter;
        std::string stream;
        std::optional<Template> key;
        std::optional<std::string> timestamp;
        TimestampFormat timestamp_format;
        std::optional<std::chrono::milliseconds> timestamp_ahead_max;
        bool keep_arrival;
        std::vector<std::pair<std::string, Template>> headers;
    };
    [[nodiscard]] static storage::Result<storage::Timestamp> timestamp_of(const Message& message, const Route& route);

    std::vector<Route> routes_;
};

}  // namespace sluice::bridge
