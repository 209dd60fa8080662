#include "storage/gap_note.hpp"

#include "storage/segment.hpp"

#include <charconv>

namespace sluice::storage {

namespace {

constexpr std::string_view kSuffix = ".gap";
constexpr std::string_view kUnknown = "some";

}  // namespace

std::string gap_file_name(Offset first, Offset next) {
    return range_file_name(first, next, kSuffix);
}

/// FIRST-NEXT.gap, or FIRST-NEXT.gap-COUNT[-NUMBER].
std::optional<NotedGap> parse_gap_file_name(std::string_view name) {
    const auto suffix = name.find(kSuffix);
    if (suffix == std::string_view::npos) return std::nullopt;
    const auto range = parse_range_file_name(name.substr(0, suffix + kSuffix.size()), kSuffix);
    if (!range) return std::nullopt;
    auto rest = name.substr(suffix + kSuffix.size());
    if (rest.empty()) return NotedGap{range->base, range->next, range->next - range->base};
    if (rest.front() != '-') return std::nullopt;
    rest = rest.substr(1, rest.find('-', 1) - 1);
    if (rest == kUnknown) return NotedGap{range->base, range->next, std::nullopt, true};
    std::int64_t count = 0;
    const auto parsed = std::from_chars(rest.data(), rest.data() + rest.size(), count);
    if (parsed.ec != std::errc() || parsed.ptr != rest.data() + rest.size()) return std::nullopt;
    return NotedGap{range->base, range->next, count, true};
}

Result<std::string> note_gap(FileSystem& files, const std::string& directory, const Gap& gap) {
    const auto count = gap.count ? std::to_string(*gap.count) : std::string(kUnknown);
    auto path = free_name(files, directory + "/" + gap_file_name(gap.first, gap.next) + "-" + count);
    if (!path) return path;
    if (auto noted = files.open(*path, OpenMode::create); !noted) return noted.error();
    if (auto done = files.sync_directory(directory); !done) return done.error();
    return path;
}

}  // namespace sluice::storage
