#include "storage/log_id_file.hpp"

namespace sluice::storage {

namespace {

constexpr const char* kFile = "log-id";

}  // namespace

Result<LogId> load_log_id(FileSystem& files, const std::string& directory) {
    auto text = read_file(files, directory + "/" + kFile);
    if (!text) return text.error();
    while (text->ends_with('\n')) text->pop_back();
    const auto id = LogId::parse(*text);
    if (!id) return Error(Errc::corrupt, directory + "/" + kFile + " does not hold a UUID");
    return *id;
}

Result<void> store_log_id(FileSystem& files, const std::string& directory, const LogId& id) {
    return replace_file(files, directory, kFile, id.to_string() + "\n");
}

}  // namespace sluice::storage
