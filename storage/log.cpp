#include "storage/log.hpp"

#include "storage/assert.hpp"
#include "storage/gap_note.hpp"
#include "storage/gapless_from.hpp"
#include "storage/log_id_file.hpp"
#include "storage/log_reader.hpp"
#include "storage/recovery.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace sluice::storage {

namespace {

constexpr std::int64_t kNobody = -1;
constexpr std::int64_t kBoundStep = std::int64_t{1} << 20U;  // some segments of the default size
constexpr std::uint64_t kFlushSyncBytes = 16U << 20U;        // as often as a roll of the default size

}  // namespace

Log::Log(const LogContext& context, std::string directory, std::string name, LogOptions options)
    : context_(context),
      directory_(std::make_shared<StreamDirectory>(StreamDirectory{std::move(directory)})),
      name_(std::move(name)),
      options_(options),
      finished_(kNobody),
      spare_(context_.files, context_.budget, directory_->path),
      tail_(options.tail_cache_bytes),
      reserve_(context_.files, directory_->path) {}

Log::~Log() = default;

Result<void> Log::begin() {
    if (!waits_to_begin()) return {};
    if (auto done = context_.files.make_directories(directory()); !done) return done;
    if (auto done = context_.files.sync_directory(directory().substr(0, directory().rfind('/'))); !done) return done;
    if (auto done = store_point({}); !done) return done;
    if (auto done = store_log_id(context_.files, directory(), marks()); !done) return done;
    if (auto done = load_gapless(true); !done) return done;
    auto writer =
        SegmentWriter::create(context_.files, directory_, Offset(0), context_.clock.now(), context_.budget, spare_);
    if (!writer) return writer.error();
    writer_ = std::move(*writer);
    segments_.replace_unmade(writer_->segment());
    return {};
}

Result<void> Log::check_lock() {
    if (context_.lock == nullptr) return {};
    return failing(context_.lock->check());
}

std::optional<Offset> Log::finished() const {
    const auto cursor = finished_.load(std::memory_order_acquire);
    return cursor == kNobody ? std::nullopt : std::optional(Offset(cursor));
}

void Log::hold_from(Offset first) {
    auto held = hold_from_.load();
    while ((held == std::numeric_limits<std::int64_t>::max() || held < first.value()) &&
           !hold_from_.compare_exchange_weak(held, first.value())) {
    }
}

Result<Offset> Log::offset_for(Timestamp timestamp) const {
    const auto limit = high_watermark();
    std::vector<std::pair<Offset, Offset>> ranges;
    // Durability "memory": no index knows what was not written yet. Looked at before the segments: it may become one.
    const auto in_memory = tail_.pinned();
    {
        const auto unchanged = segments_.keep_files();
        for (const auto& segment : segments_.all()) {
            const auto from = segment->look_up(timestamp);
            if (!from && from.error().kind() == Errc::not_found) continue;  // deleted meanwhile
            if (!from) return from.error();
            if (*from) ranges.emplace_back(**from, segment->next_base().value_or(limit));
        }
    }
    if (!in_memory.empty()) ranges.emplace_back(in_memory.front().base_offset, limit);
    for (const auto& [from, until] : ranges) {
        LogReader reader(*this, from);
        while (reader.position() < until) {
            const auto batch = reader.next();
            if (!batch) return batch.error();
            if (!*batch) break;
            for (const auto& record : (*batch)->records()) {
                if (record.timestamp >= timestamp) return record.offset;
            }
        }
    }
    return limit;
}

std::shared_ptr<void> Log::subscribe(std::function<void()> wake) {
    auto subscription = std::make_shared<std::function<void()>>(std::move(wake));
    const std::lock_guard lock(subscribers_mutex_);
    std::erase_if(subscribers_, [](const auto& weak) { return weak.expired(); });
    subscribers_.push_back(subscription);
    return subscription;
}

bool Log::should_roll(const BatchHeader& next) const {
    const auto& active = *writer_->segment();
    if (active.next_base()) return true;  // a roll that found no space
    // The indexes hold offsets relative to the segment's in 32 bits.
    if (next.last_offset() - active.base_offset() > std::numeric_limits<std::int32_t>::max()) return true;
    const auto used = active.end_position().value();
    if (used == 0) return false;
    if (used + next.size_bytes > options_.segment_bytes) return true;
    // Receive time, not the records' time: a device with a wrong clock must not roll segments.
    return active_since_ && context_.clock.steady() - *active_since_ > options_.segment_age;
}

Result<void> Log::roll() {
    if (failed_) return Error(Errc::sync_failed, "log " + name_ + " is closed for writing");
    if (options_.durability == Durability::memory) {
        if (auto done = failing(spill()); !done) return done;  // it belongs before the new segment
    }
    if (waits_to_begin() || writer_->segment()->end_position() == FilePosition(0)) return {};
    if (auto done = failing(fill_up_to(log_end_offset())); !done) return done;
    return failing(roll_to(log_end_offset()));
}

Result<void> Log::roll_to(Offset next_base) {
    if (next_base == writer_->segment()->base_offset()) return {};
    // The old segment is durable before the new one exists: recovery looks at the last segment only.
    if (!writer_->segment()->next_base()) {
        if (auto done = writer_->close(next_base); !done) return done;
        count_indexes(*writer_->segment());
    }
    auto writer =
        SegmentWriter::create(context_.files, directory_, next_base, context_.clock.now(), context_.budget, spare_);
    if (!writer) return writer.error();
    writer_ = std::move(*writer);
    segments_.add_active(writer_->segment());
    active_since_.reset();
    written_end_ = next_base;
    return move_point({next_base, RecoveryPoint::Writing{next_base, std::max(next_base, point_.bound())}});
}

Result<void> Log::store_point(const RecoveryPoint& point) {
    auto done = store_recovery_point(context_.files, directory(), marks(), point);
    if (done) point_ = point;
    return done;
}

/// Where there is room for it: the old one tells less.
Result<void> Log::move_point(const RecoveryPoint& point) {
    auto done = store_point(point);
    return !done && done.error().kind() == Errc::no_space ? Result<void>() : done;
}

/// Before offsets below `end` are used.
Result<void> Log::cover(Offset end) {
    if (point_.writing && end <= point_.writing->bound) return {};
    const auto bound = std::min(end + kBoundStep, Offset(kOffsetMax));
    return move_point({point_.end, RecoveryPoint::Writing{writer_->segment()->base_offset(), bound}});
}

/// Says of the offsets up to `next` that nothing will be written for them: a hole that no batch stands for is a loss.
Result<void> Log::fill_up_to(Offset next) {
    while (written_end_ < next) {
        const auto& active = *writer_->segment();
        const auto until = std::min(next, active.base_offset() + std::numeric_limits<std::int32_t>::max());
        if (active.next_base() || until <= written_end_) {
            // After a closed one that has nothing, none can begin at the same place: the next one's name keeps the end.
            if (written_end_ == active.base_offset()) return roll_to(next);
            if (auto done = roll_to(written_end_); !done) return done;
            continue;
        }
        const auto gone = empty_batch(written_end_, until, marks());
        if (auto done = writer_->append(gone.header, gone.bytes, context_.clock.now()); !done) return done;
        written_end_ = until;
    }
    return {};
}

/// Goes on at `next`, in a new segment: where there is no room to say what is missing, its name keeps the end.
Result<void> Log::skip_to(Offset next) {
    if (auto done = fill_up_to(next); !done && done.error().kind() != Errc::no_space) return done;
    return roll_to(next);
}

Result<void> Log::failing(Result<void> result) {
    if (!result && result.error().kind() != Errc::no_space) failed_ = true;
    return result;
}

Result<void> Log::write(const EncodedBatch& batch) {
    const auto now = context_.clock.now();
    if (auto done = failing(fill_up_to(batch.header.base_offset)); !done) return done;
    if (should_roll(batch.header)) {
        if (auto done = failing(roll_to(batch.header.base_offset)); !done) return done;
    }
    if (auto done = failing(cover(batch.header.next_offset())); !done) return done;
    if (auto done = failing(writer_->append(batch.header, batch.bytes, now)); !done) return done;
    writer_->segment()->measure_age(context_.clock);
    if (!active_since_) active_since_ = context_.clock.steady();
    written_end_ = batch.header.next_offset();
    return {};
}

Result<Offset> Log::append(BatchBuilder& builder) {
    if (failed_) return Error(Errc::sync_failed, "log " + name_ + " is closed for writing");
    if (auto done = check_lock(); !done) return done.error();
    if (auto done = failing(begin()); !done) return done.error();
    const bool in_memory = options_.durability == Durability::memory;
    const auto first = log_end_offset();
    const auto batch = builder.finish(first, in_memory ? Compression::none : options_.compression, marks());
    if (!batch) return batch.error();
    if (in_memory) {
        if (tail_.pinned_bytes() + builder.size_bytes() > options_.memory_bytes_max) {
            if (auto done = failing(spill()); !done) return done.error();
        }
        if (auto done = failing(reserve_.cover(batch->header.next_offset())); !done) return done.error();
        if (!unwritten_since_) unwritten_since_ = context_.clock.steady();
    } else if (auto done = write(*batch); !done) {
        return done.error();
    }
    const auto bytes = builder.uncompressed();
    auto header = batch->header;
    tail_.add(header, std::make_shared<const std::vector<std::byte>>(bytes.begin(), bytes.end()));
    appended_bytes_.fetch_add(bytes.size(), std::memory_order_relaxed);
    end_.store(header.next_offset().value(), std::memory_order_release);
    return first;
}

Result<void> Log::commit() {
    if (failed_) return Error(Errc::sync_failed, "log " + name_ + " is closed for writing");
    if (high_watermark() == log_end_offset()) return {};
    if (auto done = check_lock(); !done) return done;
    // With "flush" now and then too: the index grows with what is synced, and opening reads what comes after it.
    const bool due = options_.durability == Durability::flush && writer_->bytes_since_index() >= kFlushSyncBytes;
    if (options_.durability == Durability::fsync || due) {
        if (auto done = writer_->sync(); !done) {
            // The kernel may have dropped the pages and cleared the error: a second sync proves nothing.
            failed_ = true;
            return done;
        }
    }
    high_watermark_.store(end_.load(), std::memory_order_release);
    const std::lock_guard lock(subscribers_mutex_);
    for (const auto& weak : subscribers_) {
        if (const auto wake = weak.lock()) (*wake)();
    }
    return {};
}

Result<void> Log::spill_if_due() {
    if (failed_ || !unwritten_since_) return {};
    if (const auto cursor = finished()) {
        const auto pinned = tail_.pinned();
        const auto kept =
            std::find_if(pinned.begin(), pinned.end(), [&](const auto& entry) { return entry.next_offset > *cursor; });
        tail_.pin_from(kept == pinned.end() ? log_end_offset() : kept->base_offset);
        // What is left came after the cursor moved on, so it is younger than what was there before.
        if (kept == pinned.end())
            unwritten_since_.reset();
        else if (kept != pinned.begin())
            unwritten_since_ = context_.clock.steady();
    }
    if (!unwritten_since_ || context_.clock.steady() - *unwritten_since_ <= options_.memory_age_max) return {};
    return failing(spill());
}

/// Writes what is only in memory and not finished by the forwarder.
Result<void> Log::spill() {
    const auto cursor = finished();
    for (const auto& entry : tail_.pinned()) {
        if (!cursor || entry.next_offset > *cursor) {
            auto bytes = *entry.batch;
            const auto header = decode_batch_header(bytes);
            SLUICE_ASSERT(header.has_value());
            const auto batch = pack_batch(bytes, *header, options_.compression, marks(), packed_);
            if (!batch) return batch.error();
            if (auto done = write(*batch); !done) return done;
        }
        tail_.pin_from(entry.next_offset);
    }
    unwritten_since_.reset();
    return writer_->sync();
}

Result<void> Log::close() {
    if (auto done = commit(); !done || waits_to_begin()) return done;
    if (options_.durability == Durability::memory) {
        if (auto done = spill(); !done) return done;
        // Where the last records were forwarded and never written.
        if (auto done = skip_to(log_end_offset()); !done) return done;
        if (auto done = reserve_.clear(); !done) return done;
    }
    if (auto done = writer_->close(log_end_offset()); !done) return done;
    return store_point({log_end_offset(), std::nullopt});
}

SegmentSet::Segments Log::cleanable() const {
    const auto limit = high_watermark();
    auto segments = segments_.closed();
    while (!segments.empty() && segments.back()->next_base().value_or(limit + 1) > limit) segments.pop_back();
    return segments;
}

Result<void> Log::remove_files(const Segment& segment) {
    // The log first: an index without a log is litter, a log without an index is rebuilt.
    if (auto done = spare_.put(segment.path(), segment.end_position().value()); !done) return done;
    const auto unneeded = segment.forget_indexes();
    if (auto done = remove_indexes(context_.files, directory(), segment.base_offset()); !done) return done;
    context_.budget.give_back(unneeded);
    return {};
}

void Log::count_indexes(const Segment& segment) const {
    const auto before = segment.count_indexes();
    context_.budget.take_all_the_same(segment.index_bytes());
    context_.budget.give_back(before);
}

void Log::replace_segments(Offset base, Offset next, const FileStatus& status, std::uint64_t old_bytes) {
    context_.budget.take_all_the_same(status.size_bytes);
    for (const auto& segment : segments_.closed()) {
        if (segment->base_offset() < base || segment->base_offset() >= next) continue;
        context_.budget.give_back(segment->forget_indexes());
    }
    auto merged = std::make_shared<Segment>(context_.files, directory_, base, next, status);
    count_indexes(*merged);
    segments_.replace(std::move(merged));
    context_.budget.give_back(old_bytes);
}

}  // namespace sluice::storage
