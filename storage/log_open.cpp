// How a log opens: what is on the disk is looked at, what was lost is told, and the writer goes on behind it.
#include "storage/gapless_from.hpp"
#include "storage/log.hpp"
#include "storage/log_id_file.hpp"
#include "storage/recovery.hpp"

#include <algorithm>
#include <utility>

namespace sluice::storage {

namespace {

/// 2020-01-01. What was written before had no clock to tell by: a gateway's clock starts in 1970.
constexpr Timestamp kClocksAreSet{std::chrono::milliseconds(1'577'836'800'000)};

/// Of a segment that an earlier process has left.
void note_age(Segment& segment, const Clock& clock) {
    if (segment.modified() < kClocksAreSet)
        segment.measure_age(clock);
    else
        segment.found(clock);
}

}  // namespace

Result<std::unique_ptr<Log>> Log::open(const LogContext& context, std::string directory, std::string name,
                                       LogOptions options, const FinishedOf& finished_of) {
    std::unique_ptr<Log> log(new Log(context, std::move(directory), std::move(name), options));
    if (auto done = log->load(finished_of); !done) {
        if (done.error().kind() != Errc::no_space || log->has_segments()) return done.error();
        log->wait_to_begin();
    }
    return log;
}

bool Log::has_segments() const {
    const auto names = context_.files.list(directory());
    return names && std::any_of(names->begin(), names->end(),
                                [](const auto& name) { return parse_segment_file_name(name, kLogSuffix).has_value(); });
}

/// There is no room for a single file of it: the other streams are served all the same.
void Log::wait_to_begin() {
    if (id() == LogId()) directory_->marks = BatchMarks(LogId::random());
    segments_.add_active(std::make_shared<Segment>(context_.files, directory_, SegmentIndex(Offset(0)), Offset(0),
                                                   FilePosition(0), context_.clock.now()));
    if (options_.durability == Durability::memory) tail_.pin_from(Offset(0));
}

Result<void> Log::load(const FinishedOf& finished_of) {
    if (auto done = context_.files.make_directories(directory()); !done) return done;
    if (auto done = finish_swaps(context_.files, directory()); !done) return done;
    if (auto done = spare_.remove_left_behind(); !done) return done;
    auto names = context_.files.list(directory());
    if (!names) return names.error();
    const auto found = find_segments(context_.files, directory(), *names);
    if (!found) return found.error();
    const auto& bases = *found;
    if (auto done = load_id(!bases.empty()); !done) return done;
    const auto finished = finished_of ? finished_of(id()) : std::nullopt;
    if (!finished) return finished.error();
    if (*finished) set_finished((*finished)->cursor);
    for (const auto& name : *names) tell_noted(name);
    if (!bases.empty()) {
        if (auto done = load_segments(bases, *finished ? (*finished)->end : Offset(0)); !done) return done;
    } else {
        auto writer =
            SegmentWriter::create(context_.files, directory_, Offset(0), context_.clock.now(), context_.budget, spare_);
        if (!writer) return writer.error();
        writer_ = std::move(*writer);
        segments_.add_active(writer_->segment());
    }
    if (auto done = skip_lost_memory(); !done) return done;
    if (*finished) {
        if (auto done = skip_forwarded(**finished); !done) return done;
    }
    if (options_.durability == Durability::memory) tail_.pin_from(log_end_offset());
    if (auto done = mark_from_here(); !done) return done;
    if (auto done = load_gapless(bases.empty()); !done) return done;
    const RecoveryPoint here{log_end_offset(), std::nullopt};
    return here == point_ || !writer_->is_durable() ? Result<void>() : move_point(here);
}

/// A log that has no note of it was begun by an older version, which left holes, or has lost it.
Result<void> Log::load_gapless(bool is_new) {
    const auto from =
        is_new ? Result<std::optional<Offset>>(std::nullopt) : load_gapless_from(context_.files, directory());
    if (!from) return from.error();
    gapless_from_ = is_new ? log_end_offset() : marks().from();
    if (*from) gapless_from_ = **from;
    return *from ? Result<void>() : store_gapless_from(context_.files, directory(), gapless_from_);
}

/// Without its id, without its segments, or where nobody knows which offsets were used, this is another log: no cursor
/// of the old one may be applied to it.
Result<void> Log::load_id(bool has_segments) {
    const auto marks = restore_log_id(context_.files, directory());
    if (!marks) return marks.error();
    const auto reserved = reserve_.left_behind();
    if (!reserved && reserved.error().kind() != Errc::corrupt) return reserved.error();
    if (*marks && has_segments && reserved) {
        directory_->marks = **marks;
        return {};
    }
    if (auto done = tell_lost_id(has_segments, *marks, reserved); !done) return done;
    const auto made = make_log_id(context_.files, directory(), has_segments);
    if (!made) return made.error();
    directory_->marks = *made;
    return {};
}

/// Noted before the log has another id: after that no start would see it.
Result<void> Log::tell_lost_id(bool has_segments, const std::optional<BatchMarks>& marks,
                               const Result<std::optional<Offset>>& reserved) const {
    if (has_segments) {
        const std::string why = reserved ? "its log-id is lost" : reserved.error().message();
        return give_up({name_,
                        {},
                        {},
                        reserved ? std::optional<std::int64_t>(0) : std::nullopt,
                        why + ": it is another log from now on, and what it holds is forwarded again" +
                            (reserved ? "" : "; what was only in memory (durability = \"memory\") is lost")});
    }
    if (!marks) return {};
    const auto point = load_recovery_point(context_.files, directory(), marks->id());
    if (!point) return point.error();
    const auto end = std::max(point->bound(), reserved ? reserved->value_or(Offset(0)) : Offset(0));
    if (end == Offset(0) && reserved) return {};
    return give_up({name_, {}, end, std::nullopt, "all segments are missing"});
}

/// Where batches of an older version, of another program, or with the marks of an id that is lost may be: they end
/// here.
Result<void> Log::mark_from_here() {
    if (marks().from() <= log_end_offset()) return {};
    directory_->marks.set_from(log_end_offset());
    return store_log_id(context_.files, directory(), marks());
}

Result<void> Log::load_segments(const std::vector<Offset>& bases, Offset forwarded_end) {
    for (std::size_t i = 0; i + 1 < bases.size(); ++i) {
        const auto status = context_.files.status(directory() + "/" + segment_file_name(bases[i], kLogSuffix));
        if (!status) return status.error();
        context_.budget.take_all_the_same(status->size_bytes);
        auto segment = std::make_shared<Segment>(context_.files, directory_, bases[i], bases[i + 1], *status);
        note_age(*segment, context_.clock);
        count_indexes(*segment);
        segments_.add_closed(std::move(segment));
    }
    const auto point = load_recovery_point(context_.files, directory(), id());
    if (!point) return point.error();
    point_ = *point;
    // What was forwarded was durable, where it is not forwarded from memory or the page cache.
    const auto durable = options_.durability == Durability::fsync ? std::max(point_.end, forwarded_end) : point_.end;
    Offset reported_end;
    auto scan = recover_segment(context_.files, directory(), bases.back(), durable, marks(), [&](const Damage& damage) {
        report_lost(damage.first, damage.next, "damaged batch set aside at recovery");
        reported_end = damage.next;
    });
    if (!scan) return scan.error();
    const auto found_end = std::max(scan->next_offset, reported_end);
    const bool lost = scan->lost_end || point_.lacks_segment(bases.back());
    // What is lost after a kill may have gone further than anybody knows, and Kafka may have it.
    const auto end = std::max({found_end, scan->durable_end, lost ? point_.bound() : Offset(0)});
    if (found_end < end) {
        const auto known = end == scan->durable_end ? std::optional(end - found_end) : std::nullopt;
        auto done = give_up({name_, found_end, end, known, "the end of the log is missing: it was on the disk before"});
        if (!done) return done;
    }
    written_end_ = scan->next_offset;
    auto writer = SegmentWriter::reopen(context_.files, directory_, bases.back(), std::move(*scan), context_.budget);
    if (!writer) return writer.error();
    writer_ = std::move(*writer);
    segments_.add_active(writer_->segment());
    note_age(*writer_->segment(), context_.clock);
    if (writer_->segment()->end_position() > FilePosition(0)) active_since_ = appended_since();
    end_ = high_watermark_ = end.value();
    if (written_end_ >= end) return {};
    // The offsets that are lost are not given again.
    auto done = skip_to(end);
    // On a full disk the recovery point keeps it, and the next append tries again.
    return !done && done.error().kind() == Errc::no_space ? Result<void>() : done;
}

/// When the active segment that was found got its first batch, as far as files tell: not before the one before it got
/// its last.
std::chrono::milliseconds Log::appended_since() const {
    const auto closed = segments_.closed();
    const auto last = closed.empty() ? segments_.all().back() : closed.back();
    return context_.clock.steady() - last->age(context_.clock);
}

/// The power went, with durability "flush", or all notes of how far the log went are gone: Kafka has these offsets.
Result<void> Log::skip_forwarded(const Finished& forwarded) {
    const auto end = log_end_offset();
    if (forwarded.end <= end) return {};
    const auto skipped = skip_to(forwarded.end);
    if (!skipped && skipped.error().kind() != Errc::no_space) return skipped;
    end_ = high_watermark_ = forwarded.end.value();
    // With order = "live_first" some before the end may not be there.
    const auto lost = forwarded.cursor == forwarded.end ? std::optional<std::int64_t>(0) : std::nullopt;
    return give_up(
        {name_, end, forwarded.end, lost, "the log ended before what was forwarded: what Kafka has is missing here"});
}

/// Goes on after the offsets that a killed process may have used in memory only.
Result<void> Log::skip_lost_memory() {
    const auto bound = reserve_.left_behind();
    if (!bound) return bound.error();
    if (!*bound) return {};
    const auto end = log_end_offset();
    if (**bound > end) {
        const auto skipped = skip_to(**bound);
        if (!skipped && skipped.error().kind() != Errc::no_space) return skipped;
        end_ = high_watermark_ = (*bound)->value();
        const auto lost_from = std::max(end, finished().value_or(end));
        auto done =
            give_up({name_, lost_from, **bound, std::nullopt,
                     "the agent was not stopped in order: what was only in memory (durability = \"memory\") is lost"});
        if (!done) return done;
        // On a full disk no segment's name keeps the end, until an append finds room for one.
        if (!skipped) return {};
    }
    return reserve_.clear();
}

}  // namespace sluice::storage
