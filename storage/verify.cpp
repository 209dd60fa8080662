#include "storage/verify.hpp"

#include "storage/batch_scan.hpp"
#include "storage/log_id_file.hpp"
#include "storage/recovery.hpp"
#include "storage/recovery_point.hpp"
#include "storage/segment.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace sluice::storage {

namespace {

std::string range(Offset first, Offset next) {
    return "offsets " + std::to_string(first.value()) + " to " + std::to_string(next.value() - 1);
}

class LogCheck {
 public:
    LogCheck(FileSystem& files, const std::string& directory, const std::function<void(const Finding&)>& on_finding)
        : files_(files), directory_(directory), on_finding_(on_finding) {}

    Result<Verified> run() {
        auto names = files_.list(directory_);
        if (!names) return names.error();
        for (const auto& name : *names) {
            if (const auto base = parse_segment_file_name(name, kLogSuffix)) bases_.push_back(*base);
            if (is_leftover(name)) note(directory_ + "/" + name, {}, "left by a cleaner that was killed");
        }
        std::sort(bases_.begin(), bases_.end());
        check_id();
        for (const auto base : bases_) {
            if (auto done = check_segment(base); !done) return done.error();
        }
        if (next_ && *next_ < durable_end_) {
            fault(directory_, {}, range(*next_, durable_end_) + " are missing: the agent had them when it was stopped");
        }
        return verified_;
    }

 private:
    void check_id() {
        const auto id = load_log_id(files_, directory_);
        if (!id) return fault(directory_ + "/log-id", {}, "is missing or holds no UUID");
        if (const auto durable = load_recovery_point(files_, directory_, *id)) durable_end_ = *durable;
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
        next_ = base;
        ends_.clear();
        const auto scan =
            scan_segment(**file, base, [&](FilePosition at, const BatchHeader& header, const auto& bytes) {
                check_batch(path, at, header, bytes);
            });
        if (!scan) return scan.error();
        for (const auto& damage : scan->damages) {
            fault(path, damage.from,
                  std::to_string(damage.to - damage.from) + " damaged bytes" +
                      (damage.next > damage.first ? ", " + range(damage.first, damage.next) : ""));
        }
        check_tail(path, *scan, last);
        next_ = scan->next_offset;
        ++verified_.segments;
        verified_.bytes += scan->end.value();
        return check_indexes(base, *scan, last);
    }

    void check_batch(const std::string& path, FilePosition at, const BatchHeader& header,
                     const std::vector<std::byte>& bytes) {
        note_missing(header.base_offset);
        next_ = header.next_offset();
        ++verified_.batches;
        verified_.records += static_cast<std::uint64_t>(header.record_count);
        verified_.offsets_missing += header.last_offset_delta + 1 - header.record_count;
        ends_.emplace_back(at, header.last_offset());
        const auto batch = DecodedBatch::decode(bytes);
        if (!batch) fault(path, at, batch.error().message());
    }

    void note_missing(Offset found) {
        if (next_ && found > *next_) verified_.offsets_missing += found - *next_;
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
        const auto greatest = scan.index.times.max_timestamp();
        if (!last && greatest && index->times.max_timestamp() != greatest) {
            fault(directory_ + "/" + segment_file_name(base, kTimeIndexSuffix), {},
                  "time index does not know the segment's greatest timestamp");
        }
        return {};
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
    std::vector<Offset> bases_;
    Offset durable_end_;                                 // what a clean stop has noted
    std::optional<Offset> next_;                         // the least offset that may come next
    std::vector<std::pair<FilePosition, Offset>> ends_;  // of the segment's batches: position, last offset
    Verified verified_;
};

/// @param durable_end  the base offset of the next segment, or the recovery point
Result<void> repair_segment(FileSystem& files, const std::string& directory, const std::string& stream, Offset base,
                            Offset durable_end, const std::function<void(const Gap&)>& on_gap) {
    // Without its indexes a segment is looked at from its beginning.
    if (auto done = remove_indexes(files, directory, base); !done) return done;
    auto scan = recover_segment(files, directory, base, durable_end, [&](const Damage& damage) {
        if (damage.next <= damage.first) return;
        on_gap({stream, damage.first, damage.next, damage.next - damage.first, "damaged batch set aside"});
    });
    if (!scan) return scan.error();
    const auto path = directory + "/" + segment_file_name(base, kLogSuffix);
    const auto status = files.status(path);
    if (!status) return status.error();
    auto file = files.open(path, OpenMode::read_write);
    if (!file) return file.error();
    if (auto done = (*file)->truncate(scan->end.value()); !done) return done;
    if (auto done = write_again(**file, scan->durable_to, scan->end); !done) return done;
    if (auto done = (*file)->set_modified(status->modified); !done) return done;
    return write_indexes(files, directory, base, scan->index);
}

}  // namespace

Result<Verified> verify_log(FileSystem& files, const std::string& directory,
                            const std::function<void(const Finding&)>& on_finding) {
    return LogCheck(files, directory, on_finding).run();
}

Result<void> repair_log(FileSystem& files, const std::string& directory, const std::string& stream,
                        const std::function<void(const Gap&)>& on_gap) {
    if (auto done = finish_swaps(files, directory); !done) return done;
    auto names = files.list(directory);
    if (!names) return names.error();
    std::vector<Offset> bases;
    for (const auto& name : *names) {
        if (const auto base = parse_segment_file_name(name, kLogSuffix)) bases.push_back(*base);
    }
    std::sort(bases.begin(), bases.end());
    const auto id = load_log_id(files, directory);
    const auto last_durable = id ? load_recovery_point(files, directory, *id) : Result<Offset>(Offset(0));
    if (!last_durable) return last_durable.error();
    for (std::size_t i = 0; i < bases.size(); ++i) {
        const auto durable_end = i + 1 < bases.size() ? bases[i + 1] : *last_durable;
        if (auto done = repair_segment(files, directory, stream, bases[i], durable_end, on_gap); !done) return done;
    }
    return files.sync_directory(directory);
}

}  // namespace sluice::storage
