#include "bridge/kafka/progress.hpp"

#include <algorithm>
#include <charconv>
#include <system_error>

namespace sluice::bridge::kafka {

using storage::Offset;

void Progress::normalize() {
    std::sort(ahead.begin(), ahead.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<OffsetRange> apart;
    for (const auto& range : ahead) {
        if (range.next <= range.first) continue;
        if (range.first <= next) {
            next = std::max(next, range.next);
        } else if (!apart.empty() && range.first <= apart.back().next) {
            apart.back().next = std::max(apart.back().next, range.next);
        } else {
            apart.push_back(range);
        }
    }
    ahead = std::move(apart);
}

void Progress::clip(Offset end) {
    next = std::min(next, end);
    for (auto& range : ahead) range.next = std::min(range.next, end);
    normalize();
}

std::uint64_t Progress::records_ahead() const {
    std::uint64_t records = 0;
    for (const auto& range : ahead) records += static_cast<std::uint64_t>(range.next - range.first);
    return records;
}

Progress unite(const Progress& a, const Progress& b) {
    Progress both = a;
    both.ahead.insert(both.ahead.end(), b.ahead.begin(), b.ahead.end());
    both.next = std::max(a.next, b.next);
    both.normalize();
    return both;
}

std::string to_text(const std::vector<OffsetRange>& ranges) {
    std::string text;
    for (const auto& range : ranges) {
        if (!text.empty()) text += ' ';
        text += std::to_string(range.first.value()) + "-" + std::to_string(range.next.value());
    }
    return text;
}

std::optional<std::vector<OffsetRange>> parse_ranges(std::string_view text) {
    std::vector<OffsetRange> ranges;
    const auto* at = text.data();
    const auto* const end = text.data() + text.size();
    while (at != end) {
        std::int64_t first = 0;
        std::int64_t next = 0;
        auto parsed = std::from_chars(at, end, first);
        if (parsed.ec != std::errc() || parsed.ptr == end || *parsed.ptr != '-') return std::nullopt;
        parsed = std::from_chars(parsed.ptr + 1, end, next);
        if (parsed.ec != std::errc() || first < 0 || next <= first) return std::nullopt;
        ranges.push_back({Offset(first), Offset(next)});
        at = parsed.ptr;
        if (at == end) break;
        if (*at != ' ') return std::nullopt;
        ++at;
    }
    return ranges;
}

}  // namespace sluice::bridge::kafka
