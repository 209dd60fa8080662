// `sluice log ls`: the streams of a data directory, with what they hold and how far their readers are.
#include "agent/cli/log_files.hpp"
#include "agent/config_units.hpp"
#include "storage/catalog.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <iomanip>
#include <iostream>

namespace sluice::agent {

namespace {

using storage::Cursor;
using storage::Offset;

struct Row {
    StreamFiles files;
    Offset end;               ///< the offset after the last record
    std::uint64_t bytes = 0;  ///< of batches, without reserved space
    std::vector<Cursor> cursors;

    [[nodiscard]] Offset start() const { return files.segments.empty() ? Offset(0) : files.segments.front(); }
};

/// Closed segments are as long as their batches; only the last one has to be walked.
storage::Result<Row> measure(storage::FileSystem& files, StreamFiles stream) {
    Row row{std::move(stream), Offset(0), 0, {}};
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

void print_table(const std::vector<Row>& rows) {
    std::size_t width = std::string("STREAM").size();
    for (const auto& row : rows) width = std::max(width, row.files.stream.size());
    const auto name_width = static_cast<int>(width);
    std::cout << std::left << std::setw(name_width) << "STREAM"
              << "  " << std::setw(36) << "LOG ID" << std::right << std::setw(10) << "SEGMENTS" << std::setw(14)
              << "START" << std::setw(14) << "END" << std::setw(16) << "BYTES"
              << "  CURSORS\n";
    for (const auto& row : rows) {
        const auto id = row.files.log_id ? row.files.log_id->to_string() : std::string("unreadable");
        std::cout << std::left << std::setw(name_width) << row.files.stream << "  " << std::setw(36) << id << std::right
                  << std::setw(10) << row.files.segments.size() << std::setw(14) << row.start().value() << std::setw(14)
                  << row.end.value() << std::setw(16) << row.bytes << " ";
        for (const auto& cursor : row.cursors) {
            std::cout << ' ' << cursor.reader << ' ' << cursor.offset.value() << " (" << row.end - cursor.offset
                      << " behind)";
        }
        std::cout << '\n';
    }
    for (const auto& row : rows) {
        for (const auto& name : row.files.set_aside)
            std::cout << row.files.stream << ": damaged bytes were set aside: " << name << '\n';
        for (const auto& name : row.files.left_over)
            std::cout << row.files.stream << ": left by a cleaner that was killed: " << name << '\n';
    }
}

void print_json(const std::vector<Row>& rows) {
    for (const auto& row : rows) {
        nlohmann::ordered_json line;
        line["stream"] = row.files.stream;
        line["log_id"] = row.files.log_id ? nlohmann::ordered_json(row.files.log_id->to_string()) : nullptr;
        line["segments"] = row.files.segments.size();
        line["log_start_offset"] = row.start().value();
        line["log_end_offset"] = row.end.value();
        line["bytes"] = row.bytes;
        line["set_aside"] = row.files.set_aside;
        line["left_over"] = row.files.left_over;
        auto& cursors = line["cursors"] = nlohmann::ordered_json::array();
        for (const auto& cursor : row.cursors) {
            cursors.push_back(
                {{"reader", cursor.reader}, {"offset", cursor.offset.value()}, {"behind", row.end - cursor.offset}});
        }
        std::cout << line.dump() << '\n';
    }
}

}  // namespace

int log_ls_command(const LogLsArguments& arguments) {
    const auto data_dir = data_dir_of(arguments.log);
    if (!data_dir) return kExitBadConfig;
    storage::PosixFileSystem files;
    auto streams = find_streams(files, *data_dir);
    if (!streams) return report_failure(streams.error());
    const auto cursors = read_cursors(files, *data_dir);
    std::vector<Row> rows;
    bool readable = true;
    for (auto& stream : *streams) {
        const auto name = stream.stream;
        auto row = stream.unreadable ? storage::Result<Row>(*stream.unreadable) : measure(files, std::move(stream));
        if (!row) {
            std::cerr << name << ": is left out: " << row.error().message() << '\n';
            readable = false;
            continue;
        }
        std::copy_if(cursors.begin(), cursors.end(), std::back_inserter(row->cursors),
                     [&](const Cursor& cursor) { return belongs(cursor, row->files); });
        rows.push_back(std::move(*row));
    }
    if (arguments.json)
        print_json(rows);
    else
        print_table(rows);
    std::cout.flush();
    return readable && std::cout ? kExitSuccess : kExitFailure;
}

}  // namespace sluice::agent
