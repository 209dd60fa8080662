#include "storage/retention.hpp"

#include <algorithm>
#include <memory>

namespace sluice::storage {

namespace {

/// What is deleted before the forwarder has finished it is a gap. What nobody forwards is one only where no setting of
/// its own asked for the deletion (`given_up`).
Result<void> note_what_goes(Log& log, const Segment& segment, const std::string& reason, bool given_up) {
    const auto next = segment.next_base().value_or(segment.base_offset());
    // The records of a table are needed for as long as they are the latest of their keys.
    const bool table = given_up && log.options().compacts();
    const auto needed_from =
        table ? segment.base_offset() : log.finished().value_or(given_up ? segment.base_offset() : next);
    if (needed_from >= next) return {};
    const auto first = std::max(needed_from, segment.base_offset());
    // What was compacted or thinned before has left holes, so nobody knows how many records these are.
    const auto& options = log.options();
    const bool whole = !options.compacts() && options.on_full != OnFull::thin && options.on_full != OnFull::compact;
    return log.give_up({log.name(), first, next, whole ? std::optional(next - first) : std::nullopt, reason});
}

Result<void> delete_segment(FileSystem& files, Log& log, const Segment& segment, const std::string& reason,
                            bool given_up) {
    auto oldest = log.segments().remove_oldest(segment);
    if (!oldest) return {};
    auto done = note_what_goes(log, segment, reason, given_up);
    if (done) done = log.remove_files(segment);
    if (!done) {
        // What is still there is still the oldest.
        const auto status = files.status(segment.path());
        if (status || status.error().kind() != Errc::not_found) log.segments().put_back(std::move(oldest));
        return done;
    }
    return files.sync_directory(log.directory());
}

/// Room on a full disk is not made to wait for hold_from(): it may be that nothing can be written to move it.
bool is_finished(const Log& log, const Segment& segment) {
    const auto cursor = log.finished();
    return cursor && segment.next_base() && *segment.next_base() <= *cursor;
}

}  // namespace

Result<void> delete_expired(FileSystem& files, Log& log, const Clock& clock) {
    const auto& options = log.options();
    if (!options.removes()) return {};
    if (options.retention) {
        for (const auto& segment : log.cleanable()) {
            if (auto done = segment->correct_modified(clock); !done) return done;
        }
    }
    for (const auto& segment : log.cleanable()) {
        if (options.hold_until_forwarded && log.finished() && !is_finished(log, *segment)) return {};
        if (*segment->next_base() > log.hold_from()) return {};
        const bool too_old = options.retention && segment->age(clock) > *options.retention;
        const bool too_much = options.retention_bytes && log.size_bytes() > *options.retention_bytes;
        if (!too_old && !too_much) return {};
        auto done = delete_segment(files, log, *segment, too_old ? "retention (age)" : "retention (size)", false);
        if (!done) return done;
    }
    return {};
}

Result<bool> delete_finished(FileSystem& files, Log& log) {
    bool any = false;
    for (const auto& segment : log.cleanable()) {
        // A compacted log is a table: its old records are still the state of something.
        if (log.options().compacts() || !is_finished(log, *segment)) break;
        if (auto done = delete_segment(files, log, *segment, "", false); !done) return done.error();
        any = true;
    }
    return any;
}

Result<bool> delete_oldest(FileSystem& files, Log& log, const std::string& reason) {
    const auto closed = log.cleanable();
    if (closed.empty()) return false;
    if (auto done = delete_segment(files, log, *closed.front(), reason, true); !done) return done.error();
    return true;
}

}  // namespace sluice::storage
