#include "storage/batch_builder.hpp"
#include "storage/checked_file.hpp"
#include "storage/gap_note.hpp"
#include "storage/gapless_from.hpp"
#include "storage/log_id_file.hpp"
#include "storage/offset_reserve.hpp"
#include "storage/recovery.hpp"
#include "storage/recovery_point.hpp"
#include "storage/segment.hpp"
#include "storage/verify.hpp"

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

namespace sluice::storage {

namespace {

class Repair {
 public:
    Repair(FileSystem& files, const std::string& directory, const std::string& stream,
           const std::function<void(const Gap&)>& on_gap)
        : files_(files), directory_(directory), stream_(stream), on_gap_(on_gap) {}

    Result<void> run() {
        if (auto done = finish_swaps(files_, directory_); !done) return done;
        auto names = files_.list(directory_);
        if (!names) return names.error();
        const auto found = find_segments(files_, directory_, *names);
        if (!found) return found.error();
        const auto& bases = *found;
        if (auto done = repair_notes(!bases.empty()); !done) return done;
        const auto gapless_from = load_gapless_from(files_, directory_);
        if (!gapless_from) return gapless_from.error();
        for (std::size_t i = 0; i < bases.size(); ++i) {
            const bool last = i + 1 == bases.size();
            if (last) {
                if (auto done = note_proven_end(bases[i]); !done) return done;
            } else if (auto done = set_overlap_aside(bases[i], bases[i + 1]); !done) {
                return done;
            }
            const auto gapless = gapless_from->value_or(marks_.from());
            const auto next = last ? std::nullopt : std::optional(bases[i + 1]);
            if (auto done = repair_segment(bases[i], gapless, next); !done) return done;
        }
        return files_.sync_directory(directory_);
    }

 private:
    /// Restores the log id or makes a new one, as opening the log does, and removes what is damaged.
    Result<void> repair_notes(bool has_segments) {
        auto marks = restore_log_id(files_, directory_);
        if (!marks) return marks.error();
        const auto reserved = OffsetReserve(files_, directory_).left_behind();
        if (!reserved && reserved.error().kind() != Errc::corrupt) return reserved.error();
        if (!*marks || !reserved) {
            const std::string why = reserved ? "its log-id is lost" : reserved.error().message();
            if (auto done = give_up({stream_, {}, {}, std::nullopt, why + ": the agent will forward the stream again"});
                !done)
                return done;
            const auto made = make_log_id(files_, directory_, has_segments);
            if (!made) return made.error();
            *marks = *made;
        }
        marks_ = **marks;
        for (const auto* name : kSmallFiles) {
            const auto path = directory_ + ("/" + std::string(name));
            const auto text = load_checked(files_, path);
            if (text || text.error().kind() != Errc::corrupt) continue;
            if (auto done = files_.remove(path); !done) return done.error();
        }
        const auto point = load_recovery_point(files_, directory_, marks_.id());
        if (point) point_ = *point;
        return point ? Result<void>() : point.error();
    }

    /// Notes what the index proves beyond the recovery point, as the index is about to be made anew.
    Result<void> note_proven_end(Offset base) {
        const auto proven = proven_end(files_, directory_, base, marks_);
        if (!proven) return proven.error();
        if (*proven <= point_.end) return {};
        point_.end = *proven;
        return store_recovery_point(files_, directory_, marks_, point_);
    }

    /// Offsets that belong to the next segment: no reader takes them from this one.
    Result<void> set_overlap_aside(Offset base, Offset next_base) {
        const auto path = directory_ + "/" + segment_file_name(base, kLogSuffix);
        const auto file = files_.open(path, OpenMode::read);
        if (!file) return file.error();
        std::optional<std::pair<FilePosition, Offset>> overlap;
        auto scan = scan_segment(**file, base, marks_, [&](FilePosition at, const BatchHeader& header, const auto&) {
            if (!overlap && header.next_offset() > next_base) overlap.emplace(at, header.base_offset);
        });
        if (!scan || !overlap) return scan ? Result<void>() : scan.error();
        const auto size = (*file)->size();
        if (!size) return size.error();
        const auto [from, first] = *overlap;
        std::erase_if(scan->damages, [&, at = from](const Damage& damage) { return damage.from >= at; });
        scan->damages.push_back({from, FilePosition(*size), first, std::max(first, next_base)});
        scan->end = from;
        if (auto done = set_damage_aside(files_, directory_, base, **file, *scan, marks_); !done) return done;
        for (const auto& damage : scan->damages) tell_lost(damage);
        return {};
    }

    /// The agent's next start reports it.
    [[nodiscard]] Result<void> give_up(const Gap& gap) const {
        if (const auto noted = note_gap(files_, directory_, gap); !noted) return noted.error();
        on_gap_(gap);
        return {};
    }

    void tell_lost(const Damage& damage) const {
        if (damage.next <= damage.first) return;
        on_gap_({stream_, damage.first, damage.next, damage.next - damage.first, "damaged batch set aside"});
    }

    /// @param next  the base offset of the next segment; nullopt: it is the last one
    Result<void> repair_segment(Offset base, Offset gapless_from, std::optional<Offset> next) {
        // Without its indexes a segment is looked at from its beginning.
        if (auto done = remove_indexes(files_, directory_, base); !done) return done;
        const auto durable_end = next.value_or(point_.end);
        std::vector<Damage> damages;
        auto scan = recover_segment(files_, directory_, base, durable_end, marks_,
                                    [&](const Damage& damage) { damages.push_back(damage); });
        if (!scan) return scan.error();
        if (scan->no_room) {
            return Error(Errc::no_space,
                         "no room to set damaged bytes aside, and for a copy of the segment without them");
        }
        for (const auto& damage : damages) tell_lost(damage);
        const bool unknown = !next && (scan->lost_end || point_.lacks_segment(base)) && point_.bound() > durable_end;
        const auto path = directory_ + "/" + segment_file_name(base, kLogSuffix);
        const auto status = files_.status(path);
        if (!status) return status.error();
        auto file = files_.open(path, OpenMode::read_write);
        if (!file) return file.error();
        if (auto done = (*file)->truncate(scan->end.value()); !done) return done;
        const auto end = unknown ? point_.bound() : durable_end;
        if (auto done = fill_hole(**file, base, *scan, std::max(scan->next_offset, gapless_from), end, unknown); !done)
            return done;
        if (auto done = write_again(**file, scan->durable_to, scan->end); !done) return done;
        if (unknown) {
            if (auto done = store_recovery_point(files_, directory_, marks_, {end, std::nullopt}); !done) return done;
        }
        if (auto done = (*file)->set_modified(status->modified); !done) return done;
        return write_indexes(files_, directory_, base, scan->index);
    }

    /// Where the end of a segment, or what came after it, is missing: says so, and puts an empty batch there.
    /// @param durable_end  what is missing ends here
    Result<void> fill_hole(File& file, Offset base, SegmentScan& scan, Offset first, Offset durable_end,
                           bool count_unknown) {
        if (first >= durable_end) return {};
        const auto count = count_unknown ? std::nullopt : std::optional(durable_end - first);
        const Gap gap{stream_, first, durable_end, count, "the end of a segment, or a whole one, is missing"};
        if (auto done = give_up(gap); !done) return done;
        const auto next = std::min(durable_end, base + kSpanMax);
        if (scan.next_offset < next) {
            const auto gone = empty_batch(scan.next_offset, next, marks_);
            if (auto done = file.write_at(scan.end, gone.bytes); !done) return done;
            scan.index.note(gone.header, scan.end);
            scan.end = scan.end + gone.bytes.size();
        }
        return add_segments(std::max(next, scan.next_offset), durable_end);
    }

    /// A segment reaches over 31 bits of offsets: of a larger hole the rest are segments of their own, as Log makes
    /// them.
    Result<void> add_segments(Offset from, Offset to) {
        while (from < to) {
            const auto next = std::min(to, from + kSpanMax);
            const auto gone = empty_batch(from, next, marks_);
            const auto path = directory_ + "/" + segment_file_name(from, kLogSuffix);
            if (auto done = write_aside_and_rename(files_, path, gone.bytes); !done) return done;
            SegmentIndex index(from);
            index.note(gone.header, FilePosition(0));
            if (auto done = write_indexes(files_, directory_, from, index); !done) return done;
            from = next;
        }
        return {};
    }

    static constexpr std::int64_t kSpanMax = std::numeric_limits<std::int32_t>::max();

    FileSystem& files_;
    const std::string& directory_;
    const std::string& stream_;
    const std::function<void(const Gap&)>& on_gap_;
    BatchMarks marks_;
    RecoveryPoint point_;
};

}  // namespace

Result<void> repair_log(FileSystem& files, const std::string& directory, const std::string& stream,
                        const std::function<void(const Gap&)>& on_gap) {
    return Repair(files, directory, stream, on_gap).run();
}

}  // namespace sluice::storage
