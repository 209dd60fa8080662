#include "storage/log_id_file.hpp"

#include "storage/checked_file.hpp"
#include "storage/offset_reserve.hpp"
#include "storage/recovery_point.hpp"

namespace sluice::storage {

namespace {

constexpr const char* kFile = "log-id";

std::optional<LogId> parse(std::string text) {
    while (text.ends_with('\n')) text.pop_back();
    return LogId::parse(text);
}

}  // namespace

Result<LogId> load_log_id(FileSystem& files, const std::string& directory) {
    const auto text = load_checked(files, directory + "/" + kFile);
    if (!text) return text.error();
    const auto id = parse(text->text);
    if (!id) return Error(Errc::corrupt, directory + "/" + kFile + " does not hold a UUID");
    return *id;
}

Result<std::optional<LogId>> restore_log_id(FileSystem& files, const std::string& directory) {
    const auto text = load_checked(files, directory + "/" + kFile);
    if (!text && text.error().kind() != Errc::not_found && text.error().kind() != Errc::corrupt) return text.error();
    auto id = text ? parse(text->text) : std::nullopt;
    if (id && text->has_checksum) return id;
    if (!id) {
        const auto copy = log_id_of_recovery_point(files, directory);
        if (!copy) return copy.error();
        id = *copy;
    }
    if (id) {
        if (auto done = store_log_id(files, directory, *id); !done) return done.error();
    }
    return id;
}

Result<LogId> make_log_id(FileSystem& files, const std::string& directory) {
    const auto id = LogId::random();
    // The copy first: whatever a crash leaves, it is never the id of another log beside this one's.
    if (auto done = store_recovery_point(files, directory, id, Offset(0)); !done) return done.error();
    if (auto done = store_log_id(files, directory, id); !done) return done.error();
    if (auto done = OffsetReserve(files, directory).clear(); !done) return done.error();
    return id;
}

Result<void> store_log_id(FileSystem& files, const std::string& directory, const LogId& id) {
    return store_checked(files, directory, kFile, id.to_string() + "\n");
}

}  // namespace sluice::storage
