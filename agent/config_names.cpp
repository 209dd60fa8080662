#include "agent/config_names.hpp"

#include <algorithm>
#include <charconv>
#include <system_error>

namespace sluice::agent {

namespace {

constexpr std::string_view kAlphanumeric = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

bool consists_of(std::string_view text, std::string_view more) {
    return std::all_of(text.begin(), text.end(), [&](char c) {
        return kAlphanumeric.find(c) != std::string_view::npos || more.find(c) != std::string_view::npos;
    });
}

}  // namespace

bool is_kafka_topic_name(std::string_view name) {
    constexpr std::size_t kTopicNameMax = 249;
    return !name.empty() && name.size() <= kTopicNameMax && name != "." && name != ".." && consists_of(name, "._-");
}

bool is_identity(std::string_view name) {
    constexpr std::size_t kIdentityMax = 128;
    return !name.empty() && name.size() <= kIdentityMax && consists_of(name, "._:-[]");
}

std::optional<HostPort> parse_host_port(std::string_view text) {
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos || colon == 0) return std::nullopt;
    const auto host = text.substr(0, colon);
    const bool bracketed = host.size() > 2 && host.starts_with('[') && host.ends_with(']');
    const auto name = bracketed ? host.substr(1, host.size() - 2) : host;
    if (!consists_of(name, bracketed ? ":.%" : ".-_")) return std::nullopt;
    int port = 0;
    const auto* end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data() + colon + 1, end, port);
    if (parsed.ec != std::errc() || parsed.ptr != end || port < 1 || port > 65535) return std::nullopt;
    return HostPort{std::string(host), port};
}

std::optional<std::string> bad_broker(std::string_view brokers) {
    while (true) {
        const auto comma = brokers.find(',');
        auto broker = brokers.substr(0, comma);
        while (broker.starts_with(' ')) broker.remove_prefix(1);
        while (broker.ends_with(' ')) broker.remove_suffix(1);
        if (!parse_host_port(broker)) return std::string(broker);
        if (comma == std::string_view::npos) return std::nullopt;
        brokers.remove_prefix(comma + 1);
    }
}

}  // namespace sluice::agent
