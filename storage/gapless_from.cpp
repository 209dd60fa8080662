#include "storage/gapless_from.hpp"

#include "storage/checked_file.hpp"

namespace sluice::storage {

namespace {

constexpr const char* kGaplessFile = "gapless-from";

}  // namespace

Result<std::optional<Offset>> load_gapless_from(FileSystem& files, const std::string& directory) {
    const auto text = load_checked(files, directory + "/" + kGaplessFile);
    if (!text && text.error().kind() != Errc::not_found && text.error().kind() != Errc::corrupt) return text.error();
    const auto from = text && text->has_checksum ? parse_number_line(text->text) : std::nullopt;
    return from ? std::optional(Offset(*from)) : std::nullopt;
}

Result<void> store_gapless_from(FileSystem& files, const std::string& directory, Offset from) {
    return store_checked(files, directory, kGaplessFile, std::to_string(from.value()) + "\n");
}

}  // namespace sluice::storage
