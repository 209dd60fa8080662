#include "storage/checked_file.hpp"

#include "storage/crc32c.hpp"

#include <charconv>
#include <cstdio>
#include <span>

namespace sluice::storage {

namespace {

constexpr std::string_view kMark = "crc32c ";

std::string checksum_line(std::string_view text) {
    char line[sizeof("crc32c 01234567\n")];
    std::snprintf(line, sizeof line, "crc32c %08x\n", crc32c(std::as_bytes(std::span(text))));
    return line;
}

}  // namespace

Result<CheckedText> load_checked(FileSystem& files, const std::string& path) {
    auto text = read_file(files, path);
    if (!text) return text.error();
    const auto line = text->size() < 2 ? std::string::npos : text->rfind('\n', text->size() - 2);
    if (line == std::string::npos || text->compare(line + 1, kMark.size(), kMark) != 0) {
        return CheckedText{std::move(*text), false};
    }
    const auto kept = text->substr(0, line + 1);
    if (text->substr(line + 1) != checksum_line(kept)) return Error(Errc::corrupt, path + " is damaged");
    return CheckedText{kept, true};
}

Result<void> store_checked(FileSystem& files, const std::string& directory, const std::string& name,
                           std::string_view text) {
    return replace_file(files, directory, name, std::string(text) + checksum_line(text));
}

std::optional<std::int64_t> parse_number_line(std::string_view text) {
    std::int64_t value = 0;
    const auto* end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data(), end, value);
    const bool whole = parsed.ec == std::errc() && parsed.ptr + 1 == end && *parsed.ptr == '\n' && value >= 0;
    return whole ? std::optional(value) : std::nullopt;
}

}  // namespace sluice::storage
