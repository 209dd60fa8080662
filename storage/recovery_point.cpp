#include "storage/recovery_point.hpp"

#include "storage/checked_file.hpp"

namespace sluice::storage {

namespace {

constexpr const char* kFile = "recovery-point";

struct Stored {
    LogId id;
    Offset end;
};

/// nullopt where there is none. Damaged, it is as good as missing.
Result<std::optional<Stored>> load(FileSystem& files, const std::string& directory) {
    const auto text = load_checked(files, directory + "/" + kFile);
    if (!text) {
        const bool none = text.error().kind() == Errc::not_found || text.error().kind() == Errc::corrupt;
        return none ? Result<std::optional<Stored>>(std::nullopt) : text.error();
    }
    const auto space = text->text.find(' ');
    if (space == std::string::npos) return std::optional<Stored>();
    const auto id = LogId::parse(std::string_view(text->text).substr(0, space));
    const auto end = parse_number_line(std::string_view(text->text).substr(space + 1));
    return id && end ? std::optional(Stored{*id, Offset(*end)}) : std::nullopt;
}

}  // namespace

Result<Offset> load_recovery_point(FileSystem& files, const std::string& directory, const LogId& id) {
    const auto stored = load(files, directory);
    if (!stored) return stored.error();
    return *stored && (*stored)->id == id ? (*stored)->end : Offset(0);
}

Result<std::optional<LogId>> log_id_of_recovery_point(FileSystem& files, const std::string& directory) {
    const auto stored = load(files, directory);
    if (!stored) return stored.error();
    return *stored ? std::optional((*stored)->id) : std::nullopt;
}

Result<void> store_recovery_point(FileSystem& files, const std::string& directory, const LogId& id, Offset end) {
    return store_checked(files, directory, kFile, id.to_string() + " " + std::to_string(end.value()) + "\n");
}

}  // namespace sluice::storage
