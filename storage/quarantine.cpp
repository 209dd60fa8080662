#include "storage/quarantine.hpp"

#include "storage/batch_scan.hpp"
#include "storage/recovery.hpp"

namespace sluice::storage {

namespace {

Result<bool> quarantine_segment(FileSystem& files, Log& log, const Segment& segment, const Pace& pace) {
    const auto next_base = segment.next_base().value_or(segment.base_offset());
    auto file = segment.open();
    if (!file) return file.error();
    bool interrupted = false;
    auto scan = scan_segment(**file, segment.base_offset(), log.marks(),
                             [&](FilePosition, const BatchHeader& header, const auto&) {
                                 interrupted = interrupted || !pace(header.size_bytes);
                             });
    if (!scan) return scan.error();
    if (interrupted) return Error(Errc::closed, "the search for damage was interrupted");
    const auto end = segment.end_position();
    // The end of a closed segment was synced: what is no batch there is damage, not an unfinished write.
    const auto known_end = scan->known_end();
    if (known_end < end) scan->damages.push_back({known_end, end, scan->next_offset, next_base});
    if (scan->damages.empty()) return false;
    const auto& directory = log.directory();
    const auto alone = log.segments().change_files();
    if (auto done = set_damage_aside(files, directory, segment.base_offset(), **file, *scan, log.marks()); !done) {
        return done.error();
    }
    for (const auto& damage : scan->damages) log.report_damage(segment, damage.from, damage.first, damage.next);
    const auto status = files.status(segment.path());
    if (!status) return status.error();
    log.replace_segments(segment.base_offset(), next_base, *status, end.value());
    return true;
}

}  // namespace

Result<bool> quarantine_damage(FileSystem& files, Log& log, const Pace& pace) {
    bool any = false;
    for (const auto& segment : log.cleanable()) {
        auto found = quarantine_segment(files, log, *segment, pace);
        if (!found) return found;
        any |= *found;
    }
    return any;
}

}  // namespace sluice::storage
