#include "agent/log/rows.hpp"

#include "agent/log/cursors.hpp"

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
        const auto scan = storage::scan_segment(**segment, base, row.files.marks);
        if (!scan) return scan.error();
        row.bytes += scan->end.value();
        row.end = scan->next_offset;
    }
    return row;
}

/// A cursor of an earlier log of that name says nothing about this one.
bool belongs(const Cursor& cursor, const StreamFiles& stream) {
    return cursor.stream == stream.stream && cursor.log_id == stream.log_id;
}

}  // namespace

storage::Result<LogRows> read_log_rows(storage::FileSystem& files, const std::string& data_dir) {
    auto streams = find_streams(files, data_dir);
    if (!streams) return streams.error();
    const auto cursors = read_cursors(files, data_dir);
    LogRows found;
    for (auto& stream : *streams) {
        const auto name = stream.stream;
        auto row = stream.unreadable ? storage::Result<LogRow>(*stream.unreadable) : measure(files, std::move(stream));
        if (!row) {
            std::cerr << name << ": is left out: " << row.error().message() << '\n';
            found.whole = false;
            continue;
        }
        std::copy_if(cursors.begin(), cursors.end(), std::back_inserter(row->cursors),
                     [&](const Cursor& cursor) { return belongs(cursor, row->files); });
        found.rows.push_back(std::move(*row));
    }
    return found;
}

}  // namespace sluice::agent
