#include "agent/record_json.hpp"

#include "agent/text.hpp"

#include <nlohmann/json.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace sluice::agent {

namespace {

void put(nlohmann::ordered_json& object, const std::string& name, const std::optional<std::string_view>& bytes) {
    if (!bytes)
        object[name] = nullptr;
    else if (is_utf8(*bytes))
        object[name] = *bytes;
    else
        object[name + "_base64"] = base64(*bytes);
}

/// At a whole character, where it is text.
std::string_view cut(std::string_view bytes, std::size_t bytes_max) {
    constexpr std::size_t kCharacterBytesMax = 4;
    for (auto size = bytes_max; size + kCharacterBytesMax > bytes_max && size > 0; --size) {
        if (is_utf8(bytes.substr(0, size))) return bytes.substr(0, size);
    }
    return bytes.substr(0, bytes_max);
}

}  // namespace

nlohmann::ordered_json record_json(const storage::RecordView& record, std::size_t value_bytes_max) {
    nlohmann::ordered_json json;
    json["offset"] = record.offset.value();
    json["timestamp"] = record.timestamp.time_since_epoch().count();
    json["time"] = format_time(record.timestamp);
    put(json, "key", record.key);
    const bool whole = !record.value || record.value->size() <= value_bytes_max;
    put(json, "value", whole ? record.value : cut(*record.value, value_bytes_max));
    if (!whole) json["value_bytes"] = record.value->size();
    auto& headers = json["headers"] = nlohmann::ordered_json::array();
    for (const auto& header : record.headers) {
        auto& object = headers.emplace_back(nlohmann::ordered_json::object());
        put(object, "key", header.key);
        put(object, "value", header.value);
    }
    return json;
}

}  // namespace sluice::agent
