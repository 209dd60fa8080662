#include "agent/cli/log_rows.hpp"

#include <algorithm>
#include <iostream>
#include <iterator>
#include <utility>

namespace sluice::agent {

namespace {

using storage::Cursor;
using storage::Offset;

/// Closed segments are as long as their batches; only the last one has to be walked.
storage::Result<LogRow> measure(storage::FileSystem& files, StreamFiles stream) {
    LogRow row{std::move(stream), Offset(0), 0, {}};
    for (const auto base : row.files.segments) {
        const auto segment = files.open(row.files.segment_path(base), storage::OpenMode::read);
        if (!segment && segment.error().kind() == storage::Errc::not_found) continue;  // deleted while we look
        if (!segment) return segment.error();
        if (base != row.files.segments.back()) {
            const auto size = (*segment)->size();
            if (!size) return size.error();
            row.bytes += *size;
            continue;
        }
        const auto scan = storage::scan_segment(**segment, base);
        if (!scan) return scan.error();
        row.bytes += scan->end.value();
        row.end = scan->next_offset;
    }
    return row;
}

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

/// Cursors are an extra: without them the list is still of use.
std::vector<Cursor> read_cursors(storage::FileSystem& files, const std::string& data_dir) {
    const auto path = data_dir + "/catalog.db";
    if (is_missing(files, path)) return {};
    const auto catalog = storage::Catalog::open(is_missing(files, path + "-wal") ? unchanging(path) : path,
                                                storage::CatalogMode::read_only);
    auto cursors = catalog ? (*catalog)->cursors() : storage::Result<std::vector<Cursor>>(catalog.error());
    if (cursors) return std::move(*cursors);
    std::cerr << path << ": cursors are not shown: " << cursors.error().message() << '\n';
    return {};
}

/// A cursor of an earlier log of that name says nothing about this one.
bool belongs(const Cursor& cursor, const StreamFiles& stream) {
    return cursor.stream == stream.stream && cursor.log_id == stream.log_id;
}

}  // namespace

storage::Result<std::vector<LogRow>> read_log_rows(storage::FileSystem& files, const std::string& data_dir) {
    auto streams = find_streams(files, data_dir);
    if (!streams) return streams.error();
    const auto cursors = read_cursors(files, data_dir);
    std::vector<LogRow> rows;
    for (auto& stream : *streams) {
        auto row = measure(files, std::move(stream));
        if (!row) return row.error();
        std::copy_if(cursors.begin(), cursors.end(), std::back_inserter(row->cursors),
                     [&](const Cursor& cursor) { return belongs(cursor, row->files); });
        rows.push_back(std::move(*row));
    }
    return rows;
}

}  // namespace sluice::agent
