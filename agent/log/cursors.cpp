#include "agent/log/cursors.hpp"

#include <iostream>

namespace sluice::agent {

using storage::Cursor;

namespace {

bool is_missing(storage::FileSystem& files, const std::string& path) {
    const auto file = files.open(path, storage::OpenMode::read);
    return !file && file.error().kind() == storage::Errc::not_found;
}

/// SQLite makes its -wal and -shm files even for a reader. Where there is no -wal nobody writes and nothing is in it,
/// so the database can be read as a file that doesn't change. Source: sqlite.org/uri.html, "immutable".
std::string unchanging(const std::string& path) {
    std::string uri = "file:";
    for (const char c : path) {
        if (c == '%')
            uri += "%25";
        else if (c == '?')
            uri += "%3f";
        else if (c == '#')
            uri += "%23";
        else
            uri += c;
    }
    return uri + "?immutable=1";
}

storage::Result<std::unique_ptr<storage::Catalog>> open_catalog(storage::FileSystem& files, const std::string& path) {
    return storage::Catalog::open(is_missing(files, path + "-wal") ? unchanging(path) : path,
                                  storage::CatalogMode::read_only);
}

}  // namespace

std::vector<Cursor> read_cursors(storage::FileSystem& files, const std::string& data_dir) {
    const auto path = data_dir + "/catalog.db";
    if (is_missing(files, path)) return {};
    const auto catalog = open_catalog(files, path);
    auto cursors = catalog ? (*catalog)->cursors() : storage::Result<std::vector<Cursor>>(catalog.error());
    if (cursors) return std::move(*cursors);
    std::cerr << path << ": cursors are not shown: " << cursors.error().message() << '\n';
    return {};
}

storage::Result<std::optional<std::string>> read_note(storage::FileSystem& files, const std::string& data_dir,
                                                      const char* name) {
    const auto path = data_dir + "/catalog.db";
    if (is_missing(files, path)) return std::optional<std::string>();
    const auto catalog = open_catalog(files, path);
    if (!catalog) return catalog.error();
    return (*catalog)->note(name);
}

}  // namespace sluice::agent
