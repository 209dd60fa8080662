#include "storage/recovery_point.hpp"

#include "storage/checked_file.hpp"

#include <string_view>

namespace sluice::storage {

namespace {

constexpr const char* kPointFile = "recovery-point";
constexpr std::string_view kWritingLine = "writing ";

struct Stored {
    BatchMarks marks;
    RecoveryPoint point;
};

/// Takes the last line off `text`, where it is of this kind.
std::optional<std::string> take_last_line(std::string& text, std::string_view kind) {
    if (text.size() < 2 || text.back() != '\n') return std::nullopt;
    const auto before = text.rfind('\n', text.size() - 2);
    if (before == std::string::npos || text.compare(before + 1, kind.size(), kind) != 0) return std::nullopt;
    auto line = text.substr(before + 1 + kind.size());
    text.resize(before + 1);
    return line;
}

std::optional<RecoveryPoint::Writing> parse_writing(const std::string& line) {
    const auto space = line.find(' ');
    if (space == std::string::npos) return std::nullopt;
    const auto segment = parse_number_line(line.substr(0, space) + "\n");
    const auto bound = parse_number_line(std::string_view(line).substr(space + 1));
    if (!segment || !bound || *segment > *bound || *bound > kOffsetMax) return std::nullopt;
    return RecoveryPoint::Writing{Offset(*segment), Offset(*bound)};
}

std::optional<Stored> parse(std::string text) {
    Stored stored;
    if (const auto line = take_last_line(text, kWritingLine)) {
        stored.point.writing = parse_writing(*line);
        if (!stored.point.writing) return std::nullopt;
    }
    const auto space = text.find(' ');
    if (space == std::string::npos) return std::nullopt;
    const auto line_end = std::min(text.find('\n'), text.size() - 1) + 1;
    const auto end = parse_number_line(std::string_view(text).substr(0, line_end).substr(space + 1));
    const auto marks = BatchMarks::parse(text.substr(0, space) + "\n" + text.substr(line_end));
    if (!marks || !end) return std::nullopt;
    stored.marks = *marks;
    stored.point.end = Offset(*end);
    return stored;
}

/// nullopt where there is none. Damaged, it is as good as missing.
Result<std::optional<Stored>> load(FileSystem& files, const std::string& directory) {
    auto text = load_checked(files, directory + "/" + kPointFile);
    if (text) return parse(std::move(text->text));
    const bool none = text.error().kind() == Errc::not_found || text.error().kind() == Errc::corrupt;
    return none ? Result<std::optional<Stored>>(std::nullopt) : text.error();
}

}  // namespace

Result<RecoveryPoint> load_recovery_point(FileSystem& files, const std::string& directory, const LogId& id) {
    const auto stored = load(files, directory);
    if (!stored) return stored.error();
    return *stored && (*stored)->marks.id() == id ? (*stored)->point : RecoveryPoint();
}

Result<std::optional<BatchMarks>> log_id_of_recovery_point(FileSystem& files, const std::string& directory) {
    const auto stored = load(files, directory);
    if (!stored) return stored.error();
    return *stored ? std::optional((*stored)->marks) : std::nullopt;
}

Result<void> store_recovery_point(FileSystem& files, const std::string& directory, const BatchMarks& marks,
                                  const RecoveryPoint& point) {
    auto text = marks.to_string();
    text.insert(text.find('\n'), " " + std::to_string(point.end.value()));
    if (point.writing) {
        text.append(kWritingLine).append(std::to_string(point.writing->segment.value())).append(" ");
        text.append(std::to_string(point.writing->bound.value())).append("\n");
    }
    return store_checked(files, directory, kPointFile, text);
}

}  // namespace sluice::storage
