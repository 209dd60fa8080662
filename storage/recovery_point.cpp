#include "storage/recovery_point.hpp"

#include <charconv>

namespace sluice::storage {

namespace {

constexpr const char* kFile = "recovery-point";

}  // namespace

Result<Offset> load_recovery_point(FileSystem& files, const std::string& directory, const LogId& id) {
    const auto text = read_file(files, directory + "/" + kFile);
    if (!text) return text.error().kind() == Errc::not_found ? Result<Offset>(Offset(0)) : text.error();
    const auto own = id.to_string() + " ";
    if (!text->starts_with(own)) return Offset(0);
    std::int64_t offset = 0;
    const auto* end = text->data() + text->size();
    const auto parsed = std::from_chars(text->data() + own.size(), end, offset);
    // Damaged, it is as good as missing.
    const bool whole = parsed.ec == std::errc() && parsed.ptr + 1 == end && *parsed.ptr == '\n' && offset >= 0;
    return Offset(whole ? offset : 0);
}

Result<void> store_recovery_point(FileSystem& files, const std::string& directory, const LogId& id, Offset end) {
    return replace_file(files, directory, kFile, id.to_string() + " " + std::to_string(end.value()) + "\n");
}

}  // namespace sluice::storage
