#include "agent/admin/query_string.hpp"

#include <algorithm>
#include <charconv>

namespace sluice::agent::admin {

namespace {

std::optional<std::string> decode(std::string_view text) {
    constexpr int kHex = 16;
    std::string bytes;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            bytes += text[i] == '+' ? ' ' : text[i];
            continue;
        }
        unsigned value = 0;
        const auto* first = text.data() + i + 1;
        if (i + 2 >= text.size() || std::from_chars(first, first + 2, value, kHex).ptr != first + 2)
            return std::nullopt;
        bytes += static_cast<char>(value);
        i += 2;
    }
    return bytes;
}

}  // namespace

std::optional<QueryString> QueryString::parse(std::string_view text) {
    QueryString query;
    while (!text.empty()) {
        const auto part = text.substr(0, text.find('&'));
        text.remove_prefix(std::min(part.size() + 1, text.size()));
        if (part.empty()) continue;
        const auto equals = std::min(part.find('='), part.size());
        auto name = decode(part.substr(0, equals));
        auto value = decode(part.substr(std::min(equals + 1, part.size())));
        if (!name || !value || !query.values_.emplace(std::move(*name), std::move(*value)).second) return std::nullopt;
    }
    return query;
}

std::optional<std::string> QueryString::find(const std::string& name) const {
    const auto found = values_.find(name);
    return found == values_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<std::int64_t> QueryString::number(const std::string& name, std::int64_t least, std::int64_t most,
                                                std::int64_t otherwise) const {
    const auto text = find(name);
    if (!text) return otherwise;
    std::int64_t value = 0;
    const auto* end = text->data() + text->size();
    const auto parsed = std::from_chars(text->data(), end, value);
    if (parsed.ec != std::errc() || parsed.ptr != end || value < least || value > most) return std::nullopt;
    return value;
}

}  // namespace sluice::agent::admin
