#include "storage/recovery_point.hpp"

#include "storage/checked_file.hpp"

#include <algorithm>

namespace sluice::storage {

namespace {

constexpr const char* kPointFile = "recovery-point";

struct Stored {
    BatchMarks marks;
    Offset end;
};

/// nullopt where there is none. Damaged, it is as good as missing.
Result<std::optional<Stored>> load(FileSystem& files, const std::string& directory) {
    const auto text = load_checked(files, directory + "/" + kPointFile);
    if (!text) {
        const bool none = text.error().kind() == Errc::not_found || text.error().kind() == Errc::corrupt;
        return none ? Result<std::optional<Stored>>(std::nullopt) : text.error();
    }
    const auto space = text->text.find(' ');
    if (space == std::string::npos) return std::optional<Stored>();
    const auto line_end = std::min(text->text.find('\n'), text->text.size() - 1) + 1;
    const auto end = parse_number_line(std::string_view(text->text).substr(0, line_end).substr(space + 1));
    const auto marks = BatchMarks::parse(text->text.substr(0, space) + "\n" + text->text.substr(line_end));
    return marks && end ? std::optional(Stored{*marks, Offset(*end)}) : std::nullopt;
}

}  // namespace

Result<Offset> load_recovery_point(FileSystem& files, const std::string& directory, const LogId& id) {
    const auto stored = load(files, directory);
    if (!stored) return stored.error();
    return *stored && (*stored)->marks.id() == id ? (*stored)->end : Offset(0);
}

Result<std::optional<BatchMarks>> log_id_of_recovery_point(FileSystem& files, const std::string& directory) {
    const auto stored = load(files, directory);
    if (!stored) return stored.error();
    return *stored ? std::optional((*stored)->marks) : std::nullopt;
}

Result<void> store_recovery_point(FileSystem& files, const std::string& directory, const BatchMarks& marks,
                                  Offset end) {
    auto text = marks.to_string();
    text.insert(text.find('\n'), " " + std::to_string(end.value()));
    return store_checked(files, directory, kPointFile, text);
}

}  // namespace sluice::storage
