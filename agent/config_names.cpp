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

/// Letters to insert, delete, replace or swap with their neighbour ("optimal string alignment") to turn a into b.
std::size_t typing_errors(std::string_view a, std::string_view b) {
    std::vector<std::size_t> before_last(b.size() + 1);
    std::vector<std::size_t> last(b.size() + 1);
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        before_last.swap(last);
        last.swap(row);
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0U : 1U)});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = std::min(row[j], before_last[j - 2] + 1);
            }
        }
    }
    return row[b.size()];
}

}  // namespace

std::optional<std::string> nearest_name(std::string_view wrong, const std::vector<std::string>& known) {
    constexpr std::size_t kWorthComparing = 64;  // no key is as long; an attacker's key may be
    if (wrong.size() > kWorthComparing) return std::nullopt;
    std::optional<std::string> nearest;
    std::size_t errors_min = std::max<std::size_t>(1, wrong.size() / 3) + 1;
    for (const auto& name : known) {
        const auto errors = typing_errors(wrong, name);
        if (errors >= errors_min || errors >= name.size()) continue;
        errors_min = errors;
        nearest = name;
    }
    return nearest;
}

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
