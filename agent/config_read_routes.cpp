#include "agent/config_names.hpp"
#include "agent/config_read.hpp"
#include "bridge/route/topic_map.hpp"

#include <algorithm>
#include <utility>
#include <variant>

namespace sluice::agent {

namespace {

using bridge::RouteOptions;
using bridge::TimestampFormat;

constexpr auto kAheadMax = std::chrono::hours(24 * 365);

void read_headers(ConfigSection& route, std::map<std::string, std::string>& headers) {
    const auto* value = route.table(
        "headers",
        {"more headers, beside those that each record has (`mqtt.topic`, `mqtt.qos`, `mqtt.retain`, user properties)",
         "", "table of templates"});
    if (value == nullptr) return;
    for (const auto& entry : value->get_if<ConfigTable>()->entries) {
        const auto* text = entry.value.get_if<std::string>();
        if (text != nullptr) {
            headers.emplace(entry.key, *text);
        } else {
            route.context().diagnostics.error(entry.value.place,
                                              "route.headers wants strings, not " + describe(entry.value));
        }
    }
}

void read_stream_name(ConfigSection& section, std::string& stream) {
    if (!section.read("stream", stream, {"names beginning with `sluice.` are the agent's own", "", "stream name ²"})) {
        if (!section.has("stream")) section.missing("stream", "such as stream = \"telemetry\"");
    } else if (!is_kafka_topic_name(stream)) {
        section.error("stream", in_quotes(stream) + " is not a stream's name", "1 to 249 letters, digits and . _ -");
        stream.clear();
    } else if (stream.starts_with(kOwnStreamPrefix)) {
        section.error("stream", "streams named " + std::string(kOwnStreamPrefix) + "… are the agent's own",
                      "choose another name");
        stream.clear();
    }
}

/// @return whether the topic, on which all else depends, could be read
bool read_route(ConfigSection& section, RouteOptions& route) {
    const bool has_topic = section.read("topic", route.topic,
                                        {"a level may be a capture: `factory/{site}/{device}/#`", "", "topic filter"});
    if (!section.has("topic")) {
        section.missing("topic", "such as topic = \"factory/{site}/{device}/telemetry\"");
    }
    read_stream_name(section, route.stream);
    section.read("key", route.key,
                 {"the record's key, with `{captures}` of the topic: `\"{site}/{device}\"`", "no key", "template"});
    section.read("timestamp", route.timestamp,
                 {"where in the payload the time stands: `\"/ts\"`", "time of arrival", "JSON pointer"});
    section.read_choice<TimestampFormat>("timestamp_format", route.timestamp_format,
                                         {{"auto", TimestampFormat::automatic},
                                          {"rfc3339", TimestampFormat::rfc3339},
                                          {"s", TimestampFormat::seconds},
                                          {"ms", TimestampFormat::milliseconds},
                                          {"us", TimestampFormat::microseconds},
                                          {"ns", TimestampFormat::nanoseconds}},
                                         "`auto`: a string is RFC 3339, a number s, ms, us or ns by its size");
    section.read("timestamp_ahead_max", route.timestamp_ahead_max, std::chrono::seconds(1), kAheadMax, "unlimited",
                 "a time further ahead of the arrival is a fault of the device's clock: the time of arrival counts, "
                 "and the record has the header `sluice.timestamp-error`. Kafka 4 refuses what is more than an hour "
                 "ahead of its own clock");
    for (const auto* key : {"timestamp_format", "timestamp_ahead_max"}) {
        if (!section.has(key) || section.has("timestamp")) continue;
        section.error(key, "has no effect without timestamp", "name the field: timestamp = \"/ts\"");
    }
    read_headers(section, route.headers);
    section.refuse_unknown();
    return has_topic;
}

/// Whether a message of the sources may take the route. Both have valid topic filters.
bool is_fed(const RouteOptions& route, const std::vector<bridge::mqtt::SourceOptions>& sources) {
    const auto wanted = bridge::mqtt::TopicFilter::parse(route.topic);
    return std::any_of(sources.begin(), sources.end(), [&](const auto& source) {
        return std::any_of(source.topics.begin(), source.topics.end(),
                           [&](const auto& topic) { return subscribed_filter(topic)->overlaps(*wanted); });
    });
}

/// The first route decides: one that comes after another which takes all of its topics never gets a message.
void warn_of_hidden(const std::vector<RouteOptions>& routes, std::size_t route, ConfigSection& place) {
    const auto filter = bridge::mqtt::TopicFilter::parse(routes[route].topic);
    for (std::size_t before = 0; before < route; ++before) {
        const auto earlier = bridge::mqtt::TopicFilter::parse(routes[before].topic);
        if (!earlier || !earlier->covers(*filter)) continue;
        return place.warning("topic",
                             in_quotes(routes[route].topic) + " never gets a message: the route before it, with " +
                                 in_quotes(routes[before].topic) + ", takes them all",
                             "put the narrower one first");
    }
}

std::vector<bridge::RouteFault> faults_of(const std::vector<RouteOptions>& routes) {
    auto made = bridge::TopicMap::create(routes);
    auto* faults = std::get_if<std::vector<bridge::RouteFault>>(&made);
    return faults == nullptr ? std::vector<bridge::RouteFault>() : std::move(*faults);
}

/// What the code that will route says of the routes, and whether the sources feed them.
/// @param places  the section of each route
void check_routes(const std::vector<RouteOptions>& routes, std::vector<ConfigSection>& places, const Config& config) {
    std::vector<bool> faulty(routes.size());
    for (const auto& fault : faults_of(routes)) {
        places[fault.route].error(fault.field, fault.what);
        faulty[fault.route] = true;
    }
    const bool has_topics = std::any_of(config.sources.begin(), config.sources.end(),
                                        [](const auto& source) { return !source.topics.empty(); });
    for (std::size_t i = 0; i < routes.size(); ++i) {
        if (!faulty[i]) warn_of_hidden(routes, i, places[i]);
        if (faulty[i] || !has_topics || config.listener || is_fed(routes[i], config.sources)) continue;
        places[i].warning("topic", "no source subscribes to anything that matches " + in_quotes(routes[i].topic));
    }
}

}  // namespace

void read_routes(ConfigSection& top, Config& config) {
    const auto tables = top.tables("route");
    std::vector<RouteOptions> readable;
    std::vector<ConfigSection> places;
    for (const auto* table : tables) {
        auto section = array_section(top, "route", *table);
        if (!read_route(section, config.routes.emplace_back())) continue;
        readable.push_back(config.routes.back());
        places.push_back(section);
    }
    const bool passes_on = config.listener && !config.listener->broker.local_only.empty();
    if (!top.has("route") && !passes_on) {
        top.context().diagnostics.error(top.place_of("route"), "nothing would be kept",
                                        "add a [[route]] with topic and stream");
    }
    check_routes(readable, places, config);
}

}  // namespace sluice::agent
