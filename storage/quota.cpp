#include "storage/quota.hpp"

#include "storage/quarantine.hpp"
#include "storage/retention.hpp"

#include <algorithm>
#include <optional>
#include <utility>

namespace sluice::storage {

namespace {

constexpr const char* kDropOldest = "no space: the oldest segment was dropped (on_full = \"drop_oldest\")";
constexpr const char* kThinLast =
    "no space: thinning to one record a day frees no more, the oldest segment was dropped (on_full = \"thin\")";

bool may_give_way(const Log& log) {
    const auto policy = log.options().on_full;
    return policy == OnFull::drop_oldest || policy == OnFull::thin || policy == OnFull::compact;
}

bool has_data_in_active(const Log& log) {
    const auto segments = log.segments().all();
    return segments.back()->end_position() > FilePosition(0);
}

}  // namespace

Quota::Quota(FileSystem& files, const Clock& clock, std::function<void(Log&)> roll, std::string reserve_path)
    : files_(files), clock_(clock), roll_(std::move(roll)), reserve_(files, std::move(reserve_path)) {}

void Quota::keep_reserve(const std::vector<Log*>& logs) {
    const auto rewrites = [](const Log* log) {
        const auto& options = log->options();
        return options.compacts() || options.on_full == OnFull::compact || options.on_full == OnFull::thin;
    };
    if (std::any_of(logs.begin(), logs.end(), rewrites)) reserve_.keep();
}

Result<Quota::Room> Quota::make_room(std::vector<Log*> logs, const Log& wanting, const Pace& pace) {
    std::stable_sort(logs.begin(), logs.end(), [](const Log* a, const Log* b) {
        return std::pair(a->options().priority, b->size_bytes()) < std::pair(b->options().priority, a->size_bytes());
    });
    const auto spares = drop_spares(logs);
    if (!spares) return spares.error();
    if (*spares) return Room::made;
    auto room = give_up(logs, wanting, pace);
    if (!room) return room;
    // What was deleted may be kept as a spare file.
    if (const auto again = drop_spares(logs); !again) return again.error();
    keep_reserve(logs);  // before whoever waits for room has used it up
    return room;
}

Result<Quota::Room> Quota::give_up(const std::vector<Log*>& logs, const Log& wanting, const Pace& pace) {
    const auto finished = delete_finished_of(logs);
    if (!finished) return finished.error();
    if (*finished) return Room::made;
    std::optional<Error> trouble;
    // Whether `given` ends the search; a stream that can't be cleaned doesn't keep the others from it.
    const auto is_last = [&](const Result<bool>& given) {
        const bool passed_over =
            !given && (given.error().kind() == Errc::no_space || given.error().kind() == Errc::corrupt);
        if (passed_over && !trouble) trouble = given.error();
        return !passed_over && (!given || *given);
    };
    const auto room = [](const Result<bool>& given) { return given ? Result<Room>(Room::made) : given.error(); };
    for (auto* log : logs) {
        // Passes of the cleaner may come too late, as whoever waits for room interrupts them.
        if (!log->options().compacts()) continue;
        if (const auto given = compact_whole(*log, {.whatever_the_ratio = true}, pace); is_last(given))
            return room(given);
    }
    for (auto* log : logs) {
        if (log->options().priority > wanting.options().priority) break;
        if (const auto given = give_way(*log, pace); is_last(given)) return room(given);
    }
    if (roll_some(logs, wanting)) return Room::rolling;
    return trouble ? Result<Room>(*trouble) : Room::none;
}

Result<bool> Quota::drop_spares(const std::vector<Log*>& logs) {
    bool any = false;
    for (auto* log : logs) {
        auto dropped = log->drop_spare();
        if (!dropped) return dropped;
        any |= *dropped;
    }
    return any;
}

Result<bool> Quota::delete_finished_of(const std::vector<Log*>& logs) {
    for (auto* log : logs) {
        auto deleted = delete_finished(files_, *log);
        if (!deleted || *deleted) return deleted;
    }
    return false;
}

Result<bool> Quota::give_way(Log& log, const Pace& pace) {
    switch (log.options().on_full) {
        case OnFull::block:
        case OnFull::drop_newest:
            return false;
        case OnFull::drop_oldest:
            return delete_oldest(files_, log, kDropOldest);
        case OnFull::compact:
            return compact_whole(log, {.room_is_needed = true}, pace);
        case OnFull::thin: {
            const auto freed = without_damage(log, pace, [&] { return thin(files_, log, thinning_[&log], pace); });
            // A disk that is full to the last byte has no room for a copy, be it thinned or without the damage.
            if (!freed && (freed.error().kind() == Errc::no_space || freed.error().kind() == Errc::corrupt)) {
                return delete_oldest(files_, log, kDropOldest);
            }
            if (!freed) return freed.error();
            if (*freed > 0) return true;
            return delete_oldest(files_, log, kThinLast);
        }
    }
    return false;
}

/// @return whether something became free
Result<bool> Quota::compact_whole(Log& log, const CompactionOptions& options, const Pace& pace) {
    for (bool more = true; more;) {
        const auto pass = without_damage(log, pace, [&] { return compact(files_, log, clock_, options, pace); });
        if (!pass) return pass.error();
        if (pass->bytes_freed > 0) return true;
        more = pass->more;
    }
    return false;
}

/// Does it again where there was damage, which is out of the way then, or where the reserve gave room for it.
template <class Clean>
auto Quota::without_damage(Log& log, const Pace& pace, const Clean& clean) -> decltype(clean()) {
    auto done = clean();
    if (!done && done.error().kind() == Errc::no_space) {
        const auto given = reserve_.give();
        if (!given) return given.error();
        if (*given) done = clean();
    }
    if (done || done.error().kind() != Errc::corrupt) return done;
    const auto found = quarantine_damage(files_, log, pace);
    if (!found) return found.error();
    return *found ? clean() : done;
}

/// What is in an active segment can't be given up; closed it can.
bool Quota::roll_some(const std::vector<Log*>& logs, const Log& wanting) {
    bool any = false;
    for (auto* log : logs) {
        const bool finished =
            log->finished() && *log->finished() >= log->high_watermark() && !log->options().compacts();
        const bool lower = log->options().priority <= wanting.options().priority;
        if (!has_data_in_active(*log) || !(finished || (lower && may_give_way(*log)))) continue;
        roll_(*log);
        any = true;
    }
    return any;
}

}  // namespace sluice::storage
