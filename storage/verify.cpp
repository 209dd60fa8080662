#include "storage/verify.hpp"

#include "storage/batch_scan.hpp"
#include "storage/checked_file.hpp"
#include "storage/gap_note.hpp"
#include "storage/gapless_from.hpp"
#include "storage/key_index.hpp"
#include "storage/log_id_file.hpp"
#include "storage/recovery.hpp"
#include "storage/recovery_point.hpp"
#include "storage/segment.hpp"
#include "storage/swap_check.hpp"

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::storage {

namespace {

std::string range(Offset first, Offset next) {
    return "offsets " + std::to_string(first.value()) + " to " + std::to_string(next.value() - 1);
}

/// Named like a segment, with an offset that no record can have.
bool is_beyond_offsets(std::string_view name) {
    return name.size() == segment_file_name(Offset(0), kLogSuffix).size() && name.ends_with(kLogSuffix) &&
           name.find_first_not_of("0123456789") == name.size() - kLogSuffix.size() &&
           !parse_segment_file_name(name, kLogSuffix);
}

class LogCheck {
 public:
    LogCheck(FileSystem& files, const std::string& directory, const std::function<void(const Finding&)>& on_finding)
        : files_(files), directory_(directory), on_finding_(on_finding) {}

    Result<Verified> run() {
        // Before the segments are listed: a running agent goes on.
        if (auto done = check_notes(); !done) return done.error();
        auto names = files_.list(directory_);
        if (!names) return names.error();
        for (const auto& name : *names) {
            if (const auto base = parse_segment_file_name(name, kLogSuffix)) bases_.push_back(*base);
            if (is_beyond_offsets(name)) {
                fault(directory_ + "/" + name, {}, "is no segment of a log, whose offsets end at 2^46: move it away");
            }
            if (is_set_aside(name)) {
                note(directory_ + "/" + name, {}, "damaged bytes that were set aside: nothing needs them any more");
            }
            const auto swap = parse_swap_file_name(name);
            if (swap) {
                if (auto done = check_swap_file(directory_ + "/" + name, *swap); !done) return done.error();
            } else if (is_leftover(name)) {
                note(directory_ + "/" + name, {}, "left by a cleaner that was killed: a start removes it");
            }
            if (const auto gap = parse_gap_file_name(name); gap && gap->first < gap->next) {
                note(directory_ + "/" + name, {},
                     "a loss in " + range(gap->first, gap->next) + ", which the agent reports at its next start");
            }
        }
        std::sort(bases_.begin(), bases_.end());
        for (const auto base : bases_) {
            if (auto done = check_segment(base); !done) return done.error();
        }
        check_end();
        return verified_;
    }

 private:
    /// The small files beside the segments.
    Result<void> check_notes() {
        const auto id = load_log_id(files_, directory_);
        if (!id) fault(directory_ + "/log-id", {}, "is missing, damaged, or holds no UUID");
        const auto marks = load_batch_marks(files_, directory_);
        if (!marks) return marks.error();
        marks_ = *marks;
        const auto point = load_recovery_point(files_, directory_, marks_.id());
        if (!point) return point.error();
        point_ = *point;
        const auto gapless_from = load_gapless_from(files_, directory_);
        if (!gapless_from) return gapless_from.error();
        gapless_from_ = gapless_from->value_or(marks_.from());
        for (const auto* name : kSmallFiles) {
            const auto path = directory_ + ("/" + std::string(name));
            const auto text = load_checked(files_, path);
            if (!text && text.error().kind() == Errc::corrupt) fault(path, {}, "is damaged");
        }
        return {};
    }

    void check_end() {
        const auto durable_end = point_.end;
        if (bases_.empty() ? durable_end > Offset(0) : next_ && *next_ < durable_end) {
            fault(directory_, {},
                  range(next_.value_or(Offset(0)), durable_end) + " are missing: the agent knew that they were there");
        } else if (point_.writing && (bases_.empty() || point_.lacks_segment(bases_.back()))) {
            fault(directory_ + "/" + segment_file_name(point_.writing->segment, kLogSuffix), {},
                  "is missing: the agent has written to it");
        }
    }

    /// From a start on it is what the log holds.
    Result<void> check_swap_file(const std::string& path, OffsetRange swap) {
        const auto check = check_swap(files_, directory_, swap);
        if (!check && check.error().kind() == Errc::not_found) return {};  // taken in meanwhile, by a running agent
        if (!check) return check.error();
        const auto stands_for = "stands for the segments of " + range(swap.base, swap.next);
        if (check->originals_stay) {
            fault(path, {},
                  stands_for + ", and is damaged (" + check->fault + "): a start removes it, and keeps those");
            return {};
        }
        swaps_.push_back(swap);
        if (check->fault.empty())
            note(path, {}, "left by a cleaner that was killed, and whole: " + stands_for + "; a start puts it there");
        else
            fault(path, {}, stands_for + ", of which less is left, and is damaged: " + check->fault);
        return {};
    }

    Result<void> check_segment(Offset base) {
        const auto path = directory_ + "/" + segment_file_name(base, kLogSuffix);
        const bool last = base == bases_.back();
        const auto file = files_.open(path, OpenMode::read);
        if (!file && file.error().kind() == Errc::not_found) {
            next_.reset();
            return {};  // deleted while we look, by a running agent
        }
        if (!file) return file.error();
        if (next_ && *next_ > base) {
            fault(path, FilePosition(0), range(base, *next_) + " are in the segment before it too");
        }
        note_missing(base);
        tell_holes(path, {});
        next_ = base;
        ends_.clear();
        times_.clear();
        const auto scan =
            scan_segment(**file, base, marks_,
                         [&](FilePosition at, const BatchHeader& header, const auto&) { check_batch(at, header); });
        if (!scan) return scan.error();
        for (const auto& damage : scan->damages) {
            fault(path, damage.from,
                  std::to_string(damage.to - damage.from) + " damaged bytes" +
                      (damage.next > damage.first ? ", " + range(damage.first, damage.next) : ""));
        }
        tell_holes(path, scan->damages);
        check_tail(path, *scan, last);
        const auto proven = last ? proven_end(files_, directory_, base, marks_) : Result<Offset>(base);
        if (!proven && proven.error().kind() != Errc::not_found) return proven.error();
        if (proven && scan->next_offset < *proven) {
            fault(path, scan->end, range(scan->next_offset, *proven) + " are missing: its index knows of them");
        }
        next_ = scan->next_offset;
        ++verified_.segments;
        verified_.bytes += scan->end.value();
        if (!last) check_keys(base, *scan);
        // Where there is damage they can't fit, and whatever mends it makes them anew.
        return scan->damages.empty() ? check_indexes(base, *scan, last) : Result<void>();
    }

    void check_batch(FilePosition at, const BatchHeader& header) {
        note_missing(header.base_offset);
        next_ = header.next_offset();
        ++verified_.batches;
        verified_.records += static_cast<std::uint64_t>(header.record_count);
        verified_.offsets_missing += header.last_offset_delta + 1 - header.record_count;
        ends_.emplace_back(at, header.last_offset());
        if (header.record_count > 0) times_.emplace_back(header.last_offset(), header.max_timestamp);
    }

    void note_missing(Offset found) {
        if (!next_ || found <= *next_) return;
        verified_.offsets_missing += found - *next_;
        // What an older version left out, and what a cleaner was about to replace, may be missing.
        const auto first = std::max(*next_, gapless_from_);
        const bool swapped = std::any_of(swaps_.begin(), swaps_.end(),
                                         [&](const auto& swap) { return swap.base <= first && found <= swap.next; });
        if (first < found && !swapped) holes_.push_back({first, found});
    }

    /// Holes in the offsets, other than where there are damaged bytes.
    void tell_holes(const std::string& path, const std::vector<Damage>& damages) {
        for (const auto& hole : std::exchange(holes_, {})) {
            const bool told = std::any_of(damages.begin(), damages.end(),
                                          [&](const auto& damage) { return damage.next == hole.next; });
            if (!told) fault(path, {}, range(hole.base, hole.next) + " are missing before it");
        }
    }

    void check_tail(const std::string& path, const SegmentScan& scan, bool last) {
        if (scan.tail == Tail::clean) return;
        const bool torn = scan.tail == Tail::torn;
        const std::string what = torn ? "ends in an unfinished batch" : "ends in reserved space";
        if (!last)
            fault(path, scan.end, what + ", and is not the last segment");
        else if (torn)
            note(path, scan.end, what + ": a write that did not finish, or goes on; the agent cuts it");
        else
            note(path, scan.end, what + ": the agent is running, or did not stop cleanly");
    }

    /// A search by key does without one that is damaged or of another segment.
    void check_keys(Offset base, const SegmentScan& scan) {
        const Segment segment(files_, std::make_shared<const StreamDirectory>(StreamDirectory{directory_, marks_}),
                              base, scan.next_offset, {scan.known_end().value(), {}});
        const auto keys = KeyIndex::load(files_, segment);
        if (!keys && keys.error().kind() == Errc::corrupt)
            note(segment.path(kKeyIndexSuffix), {}, keys.error().message());
    }

    /// Each entry of the offset index names a batch and its last offset; the time index knows the greatest time.
    Result<void> check_indexes(Offset base, const SegmentScan& scan, bool last) {
        const auto path = directory_ + "/" + segment_file_name(base, kIndexSuffix);
        const auto index = load_indexes(files_, directory_, base, scan.end.value());
        if (!index && index.error().kind() == Errc::io) return index.error();
        if (!index) {
            // Of the last segment they grow with it; a closed one's are made anew at the next start.
            const bool missing = index.error().kind() == Errc::not_found;
            if (!last) add(missing ? Finding::Kind::note : Finding::Kind::fault, path, {}, index.error().message());
            return {};
        }
        const auto& entries = index->offsets.entries();
        auto batch = ends_.begin();
        for (std::size_t i = 0; i < entries.size(); ++i) {
            const auto last_offset = base + entries[i].relative_last_offset;
            while (batch != ends_.end() && batch->second < last_offset) ++batch;
            const bool fits = batch != ends_.end() && batch->second == last_offset &&
                              batch->first == FilePosition(static_cast<std::uint64_t>(entries[i].position));
            if (fits) continue;
            add(last ? Finding::Kind::note : Finding::Kind::fault, path, FilePosition(i * OffsetIndex::kEntryBytes),
                "index entry does not fit the segment");
            break;
        }
        check_times(base, index->times, last);
        const auto greatest = scan.index.times.max_timestamp();
        if (!last && greatest && index->times.max_timestamp() != greatest) {
            fault(directory_ + "/" + segment_file_name(base, kTimeIndexSuffix), {},
                  "time index does not know the segment's greatest timestamp");
        }
        return {};
    }

    /// Each entry names the last offset of a batch, and its greatest timestamp, which none before it has reached.
    void check_times(Offset base, const TimeIndex& times, bool last) {
        const auto path = directory_ + "/" + segment_file_name(base, kTimeIndexSuffix);
        std::optional<Timestamp> greatest;
        auto batch = times_.begin();
        for (std::size_t i = 0; i < times.entries().size(); ++i) {
            const auto& entry = times.entries()[i];
            const auto offset = base + entry.relative_offset;
            for (; batch != times_.end() && batch->first <= offset; ++batch) {
                greatest = std::max(greatest.value_or(batch->second), batch->second);
            }
            const bool fits = batch != times_.begin() && std::prev(batch)->first == offset &&
                              std::prev(batch)->second == greatest &&
                              greatest == Timestamp(std::chrono::milliseconds(entry.timestamp_ms));
            if (fits) continue;
            add(last ? Finding::Kind::note : Finding::Kind::fault, path, FilePosition(i * TimeIndex::kEntryBytes),
                "index entry does not fit the segment");
            break;
        }
    }

    void add(Finding::Kind kind, std::string path, std::optional<FilePosition> at, std::string what) {
        if (kind == Finding::Kind::fault) ++verified_.faults;
        if (on_finding_) on_finding_({kind, std::move(path), at, std::move(what)});
    }
    void fault(std::string path, std::optional<FilePosition> at, std::string what) {
        add(Finding::Kind::fault, std::move(path), at, std::move(what));
    }
    void note(std::string path, std::optional<FilePosition> at, std::string what) {
        add(Finding::Kind::note, std::move(path), at, std::move(what));
    }

    FileSystem& files_;
    const std::string& directory_;
    const std::function<void(const Finding&)>& on_finding_;
    BatchMarks marks_ = BatchMarks::unknown();
    std::vector<Offset> bases_;
    std::vector<OffsetRange> swaps_;
    std::vector<OffsetRange> holes_;  // not told yet
    Offset gapless_from_;             // holes before it mean nothing
    RecoveryPoint point_;
    std::optional<Offset> next_;                         // the least offset that may come next
    std::vector<std::pair<FilePosition, Offset>> ends_;  // of the segment's batches: position, last offset
    std::vector<std::pair<Offset, Timestamp>> times_;    // … last offset, greatest timestamp, where it has records
    Verified verified_;
};

}  // namespace

Result<Verified> verify_log(FileSystem& files, const std::string& directory,
                            const std::function<void(const Finding&)>& on_finding) {
    return LogCheck(files, directory, on_finding).run();
}

}  // namespace sluice::storage
