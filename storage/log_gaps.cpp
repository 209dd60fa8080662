// How a log tells what is lost: once for each place, and again after a kill if nobody heard it.
#include "storage/gap_note.hpp"
#include "storage/log.hpp"

#include <algorithm>
#include <utility>

namespace sluice::storage {

void Log::report_gap(const Gap& gap) const {
    if (context_.on_gap) context_.on_gap(gap);
}

void Log::report_damage(const Segment& segment, FilePosition position, Offset first, Offset next) const {
    const auto where = segment.path() + ":" + std::to_string(position.value());
    {
        const std::lock_guard lock(reported_mutex_);
        // Damage may spread: the same place again with more records behind it is news.
        if (!reported_damage_.insert(where + "-" + std::to_string(next.value())).second) return;
    }
    report_lost(first, next, "damaged bytes at " + where + " were skipped");
}

/// What a gap file may have noted: it goes when that is told.
void Log::report_lost(Offset first, Offset next, std::string reason) const {
    auto told = [&files = context_.files, path = directory() + "/" + gap_file_name(first, next)] {
        static_cast<void>(files.remove(path));
    };
    report_gap({name_, first, next, next - first, std::move(reason), std::move(told)});
}

void Log::report_hole(Offset first, Offset next) const {
    if (const auto hole = new_hole(first, next)) report_gap(*hole);
}

Result<void> Log::give_up_hole(Offset first, Offset next) const {
    auto hole = new_hole(first, next);
    return hole ? give_up(std::move(*hole)) : Result<void>();
}

std::optional<Gap> Log::new_hole(Offset first, Offset next) const {
    first = std::max({first, gapless_from_, log_start_offset()});
    if (first >= next) return std::nullopt;
    {
        const std::lock_guard lock(reported_mutex_);
        if (!reported_damage_.insert("up to " + std::to_string(next.value())).second) return std::nullopt;
    }
    return Gap{name_, first, next, next - first, "the end of a segment, or a whole one, is missing"};
}

Result<void> Log::give_up(Gap gap) const {
    const auto note = note_gap(context_.files, directory(), gap);
    if (!note && note.error().kind() != Errc::no_space) return note.error();
    if (note) gap.told = [&files = context_.files, path = *note] { static_cast<void>(files.remove(path)); };
    report_gap(gap);
    return {};
}

/// What an earlier run has noted and may not have told.
void Log::tell_noted(const std::string& name) const {
    const auto noted = parse_gap_file_name(name);
    if (!noted) return;
    const std::string what = noted->next == noted->first
                                 ? "the id of the log, or what tells which offsets it has used, was lost"
                             : noted->given_up ? "given up or missing"
                                               : "damaged batch set aside";
    report_gap({name_, noted->first, noted->next, noted->count, what + ", as an earlier run of the agent noted",
                [&files = context_.files, path = directory() + "/" + name] { static_cast<void>(files.remove(path)); }});
}

}  // namespace sluice::storage
