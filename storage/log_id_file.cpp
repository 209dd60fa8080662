#include "storage/log_id_file.hpp"

#include "storage/checked_file.hpp"
#include "storage/offset_reserve.hpp"
#include "storage/recovery_point.hpp"

namespace sluice::storage {

namespace {

constexpr const char* kIdFile = "log-id";

struct Found {
    std::optional<BatchMarks> marks;
    bool is_whole = false;
};

/// What is there, or the copy.
Result<Found> find(FileSystem& files, const std::string& directory) {
    const auto text = load_checked(files, directory + "/" + kIdFile);
    if (!text && text.error().kind() != Errc::not_found && text.error().kind() != Errc::corrupt) return text.error();
    if (const auto marks = text ? BatchMarks::parse(text->text) : std::nullopt) return Found{marks, text->has_checksum};
    const auto copy = log_id_of_recovery_point(files, directory);
    if (!copy) return copy.error();
    return Found{*copy, false};
}

}  // namespace

Result<LogId> load_log_id(FileSystem& files, const std::string& directory) {
    const auto text = load_checked(files, directory + "/" + kIdFile);
    if (!text) return text.error();
    const auto marks = BatchMarks::parse(text->text);
    if (!marks) return Error(Errc::corrupt, directory + "/" + kIdFile + " does not hold a UUID");
    return marks->id();
}

Result<BatchMarks> load_batch_marks(FileSystem& files, const std::string& directory) {
    const auto found = find(files, directory);
    if (!found) return found.error();
    return found->marks.value_or(BatchMarks::unknown());
}

Result<std::optional<BatchMarks>> restore_log_id(FileSystem& files, const std::string& directory) {
    const auto found = find(files, directory);
    if (!found) return found.error();
    if (found->marks && !found->is_whole) {
        if (auto done = store_log_id(files, directory, *found->marks); !done) return done.error();
    }
    return found->marks;
}

Result<BatchMarks> make_log_id(FileSystem& files, const std::string& directory, bool has_batches) {
    const auto id = LogId::random();
    const auto marks = has_batches ? BatchMarks::after_lost_id(id) : BatchMarks(id);
    // The copy first: whatever a crash leaves, it is never the id of another log beside this one's.
    if (auto done = store_recovery_point(files, directory, marks, {}); !done) return done.error();
    if (auto done = store_log_id(files, directory, marks); !done) return done.error();
    if (auto done = OffsetReserve(files, directory).clear(); !done) return done.error();
    return marks;
}

Result<void> store_log_id(FileSystem& files, const std::string& directory, const BatchMarks& marks) {
    return store_checked(files, directory, kIdFile, marks.to_string());
}

}  // namespace sluice::storage
