#include "bridge/route/topic_map.hpp"

#include "bridge/payload/timestamp.hpp"

#include <algorithm>
#include <utility>

namespace sluice::bridge {

namespace {

// A gateway whose clock has no battery starts in 1970, and its devices know better until it has asked somebody.
constexpr storage::Timestamp kClockIsSet = std::chrono::sys_days(std::chrono::January / 1 / 2024);

/// A device can't pass its user properties off as the agent's own notes.
std::string safe_header_key(std::string key) {
    if (key.starts_with("mqtt.") || key.starts_with("sluice.")) key.insert(0, "user.");
    return key;
}

std::vector<storage::Header> mqtt_headers(Message& message) {
    std::vector<storage::Header> headers;
    headers.reserve(3 + message.user_properties.size() + 3);
    headers.push_back({"mqtt.topic", std::move(message.topic)});
    headers.push_back({"mqtt.qos", std::to_string(message.qos)});
    headers.push_back({"mqtt.retain", message.retain ? "true" : "false"});
    if (message.content_type) headers.push_back({"mqtt.content-type", std::move(message.content_type)});
    if (message.response_topic) headers.push_back({"mqtt.response-topic", std::move(message.response_topic)});
    if (message.correlation_data) headers.push_back({"mqtt.correlation-data", std::move(message.correlation_data)});
    for (auto& [key, value] : message.user_properties) {
        headers.push_back({safe_header_key(std::move(key)), std::move(value)});
    }
    return headers;
}

}  // namespace

std::optional<Template> Template::parse(std::string_view text, const std::vector<std::string>& names,
                                        std::string& fault) {
    Template result;
    while (!text.empty()) {
        const auto brace = text.find_first_of("{}");
        Part part{std::string(text.substr(0, brace)), std::nullopt};
        text.remove_prefix(std::min(brace, text.size()));
        if (!text.empty()) {
            const auto end = text.find('}');
            if (text.front() == '}' || end == std::string_view::npos) {
                fault = "has an unpaired brace";
                return std::nullopt;
            }
            const auto name = text.substr(1, end - 1);
            const auto found = std::find(names.begin(), names.end(), name);
            if (found == names.end()) {
                fault = "{" + std::string(name) + "} is not captured by the route's topic";
                return std::nullopt;
            }
            part.capture = static_cast<std::size_t>(found - names.begin());
            text.remove_prefix(end + 1);
        }
        result.parts_.push_back(std::move(part));
    }
    return result;
}

std::string Template::fill(const std::vector<std::string_view>& captures) const {
    std::string text;
    for (const auto& part : parts_) {
        text += part.literal;
        if (part.capture) text += captures[*part.capture];
    }
    return text;
}

std::variant<TopicMap, std::vector<RouteFault>> TopicMap::create(const std::vector<RouteOptions>& routes) {
    TopicMap map;
    std::vector<RouteFault> faults;
    for (std::size_t i = 0; i < routes.size(); ++i) {
        const auto& options = routes[i];
        auto filter = mqtt::TopicFilter::parse(options.topic);
        if (!filter) {
            faults.push_back({i, "topic", filter.error().message()});
            continue;
        }
        std::string fault;
        std::optional<Template> key;
        if (options.key && !(key = Template::parse(*options.key, filter->capture_names(), fault))) {
            faults.push_back({i, "key", "key template: " + fault});
        }
        if (options.timestamp && !is_json_pointer(*options.timestamp)) {
            faults.push_back({i, "timestamp", "\"" + *options.timestamp + "\" is not a JSON pointer (e.g. \"/ts\")"});
        }
        std::vector<std::pair<std::string, Template>> headers;
        for (const auto& [name, value] : options.headers) {
            auto parsed = Template::parse(value, filter->capture_names(), fault);
            if (parsed)
                headers.emplace_back(name, std::move(*parsed));
            else
                faults.push_back({i, "headers", "header " + name + ": " + fault});
        }
        map.routes_.push_back({std::move(*filter), options.stream, std::move(key), options.timestamp,
                               options.timestamp_format, options.timestamp_ahead_max, options.keep_arrival,
                               std::move(headers)});
    }
    if (!faults.empty()) return faults;
    return map;
}

storage::Result<storage::Timestamp> TopicMap::timestamp_of(const Message& message, const Route& route) {
    auto time = payload_timestamp(message.payload, *route.timestamp, route.timestamp_format);
    if (!time || !route.timestamp_ahead_max || message.arrived < kClockIsSet) return time;
    const auto ahead = *time - message.arrived;
    if (ahead <= *route.timestamp_ahead_max) return time;
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(ahead).count();
    return storage::Error(storage::Errc::invalid, "time is " + std::to_string(seconds) + " s ahead of the arrival");
}

Routed TopicMap::route(Message message) const {
    std::vector<std::string_view> captures;
    const auto found = std::find_if(routes_.begin(), routes_.end(),
                                    [&](const Route& route) { return route.filter.matches(message.topic, captures); });
    Routed routed{nullptr, {}};
    auto& record = routed.record;
    record.timestamp = message.arrived;
    if (found == routes_.end()) {
        record.headers = mqtt_headers(message);
        record.value = std::move(message.payload);
        return routed;
    }
    routed.stream = &found->stream;
    if (found->key) record.key = found->key->fill(captures);
    std::vector<storage::Header> more;
    for (const auto& [name, value] : found->headers) more.push_back({name, value.fill(captures)});
    if (found->timestamp) {
        const auto time = timestamp_of(message, *found);
        if (time)
            record.timestamp = *time;
        else
            more.push_back({"sluice.timestamp-error", time.error().message()});
        const auto delay = message.arrived - record.timestamp;
        if (found->keep_arrival && delay.count() != 0) {
            more.push_back({kArrivalHeader, std::to_string(delay.count())});
        }
    }
    record.headers = mqtt_headers(message);  // the captures pointed into the topic until here
    for (auto& header : more) record.headers.push_back(std::move(header));
    record.value = std::move(message.payload);
    return routed;
}

}  // namespace sluice::bridge
