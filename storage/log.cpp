#include "storage/log.hpp"

#include "storage/assert.hpp"
#include "storage/recovery.hpp"

#include <algorithm>
#include <utility>

namespace sluice::storage {

namespace {

constexpr const char* kLogIdFile = "log-id";

Result<LogId> read_log_id(FileSystem& files, const std::string& directory) {
    auto text = read_file(files, directory + "/" + kLogIdFile);
    if (!text) return text.error();
    while (!text->empty() && text->back() == '\n') text->pop_back();
    const auto id = LogId::parse(*text);
    if (!id) return Error(Errc::corrupt, directory + "/" + kLogIdFile + " does not hold a UUID");
    return *id;
}

}  // namespace

Log::Log(FileSystem& files, const Clock& clock, std::string directory, std::string name, LogOptions options,
         GapReport on_gap)
    : files_(files),
      clock_(clock),
      directory_(std::move(directory)),
      name_(std::move(name)),
      options_(options),
      on_gap_(std::move(on_gap)) {}

Result<std::unique_ptr<Log>> Log::open(FileSystem& files, const Clock& clock, std::string directory, std::string name,
                                       LogOptions options, GapReport on_gap) {
    std::unique_ptr<Log> log(new Log(files, clock, std::move(directory), std::move(name), options, std::move(on_gap)));
    if (auto done = files.make_directories(log->directory_); !done) return done.error();
    if (auto done = remove_leftovers(files, log->directory_); !done) return done.error();
    if (auto done = log->load_segments(); !done) return done.error();
    return log;
}

Result<void> Log::load_segments() {
    auto names = files_.list(directory_);
    if (!names) return names.error();
    std::vector<Offset> bases;
    for (const auto& name : *names) {
        if (const auto base = parse_segment_file_name(name, kLogSuffix)) bases.push_back(*base);
    }
    std::sort(bases.begin(), bases.end());
    auto id = read_log_id(files_, directory_);
    if (!id && id.error().kind() != Errc::not_found && id.error().kind() != Errc::corrupt) return id.error();
    // Without its id, or without its segments, this is another log: no cursor of the old one may be applied to it.
    if (!id || bases.empty())
        id_ = LogId::random();
    else
        id_ = *id;
    if (bases.empty()) return create_anew();
    if (!id) {
        if (auto done = replace_file(files_, directory_, kLogIdFile, id_.to_string() + "\n"); !done) return done;
    }

    const auto active_base = bases.back();
    bases.pop_back();
    for (const auto base : bases) {
        auto segment = Segment::open_closed(files_, directory_, base);
        if (!segment) return segment.error();
        segments_.push_back(std::move(*segment));
    }
    auto scan = recover_segment(files_, directory_, active_base, [&](const Damage& damage) {
        if (on_gap_) on_gap_({name_, damage.first, damage.next, "damaged batch set aside at recovery"});
    });
    if (!scan) return scan.error();
    const auto end = scan->next_offset;
    auto active = Segment::reopen(files_, directory_, active_base, std::move(*scan));
    if (!active) return active.error();
    if ((*active)->end_position() > FilePosition(0)) active_since_ = clock_.now();
    segments_.push_back(std::move(*active));
    end_ = end.value();
    high_watermark_ = end.value();
    return {};
}

Result<void> Log::create_anew() {
    if (auto done = replace_file(files_, directory_, kLogIdFile, id_.to_string() + "\n"); !done) return done;
    auto segment = Segment::create(files_, directory_, Offset(0));
    if (!segment) return segment.error();
    segments_.push_back(std::move(*segment));
    return {};
}

Offset Log::log_start_offset() const {
    const std::lock_guard lock(mutex_);
    return segments_.front()->base_offset();
}

std::uint64_t Log::size_bytes() const {
    const std::lock_guard lock(mutex_);
    std::uint64_t bytes = 0;
    for (const auto& segment : segments_) bytes += segment->end_position().value();
    return bytes;
}

std::shared_ptr<void> Log::subscribe(std::function<void()> wake) {
    auto subscription = std::make_shared<std::function<void()>>(std::move(wake));
    const std::lock_guard lock(subscribers_mutex_);
    std::erase_if(subscribers_, [](const auto& weak) { return weak.expired(); });
    subscribers_.push_back(subscription);
    return subscription;
}

bool Log::should_roll(std::size_t batch_bytes) const {
    const auto& active = *segments_.back();
    const auto used = active.end_position().value();
    if (used == 0) return false;
    if (used + batch_bytes > options_.segment_bytes) return true;
    // Receive time, not the records' time: a device with a wrong clock must not roll segments.
    return active_since_ && clock_.now() - *active_since_ > options_.segment_age;
}

Result<void> Log::roll() {
    // The old segment is durable before the new one exists: recovery looks at the last segment only.
    if (auto done = segments_.back()->close(); !done) return done;
    auto segment = Segment::create(files_, directory_, log_end_offset());
    if (!segment) return segment.error();
    segments_.back()->drop_index();
    const std::lock_guard lock(mutex_);
    segments_.push_back(std::move(*segment));
    active_since_.reset();
    return {};
}

Result<Offset> Log::append(std::span<const Record> records) {
    if (failed_) return Error(Errc::sync_failed, "log " + name_ + " is closed for writing");
    const auto first = log_end_offset();
    auto batch = encode_batch(first, records, options_.compression);
    if (!batch) return batch.error();
    const auto header = decode_batch_header(*batch);
    SLUICE_ASSERT(header && header->next_offset() == first + static_cast<std::int64_t>(records.size()));
    if (should_roll(batch->size())) {
        if (auto done = roll(); !done) {
            if (done.error().kind() != Errc::no_space) fail_writing();
            return done.error();
        }
    }
    if (auto done = segments_.back()->append(*header, *batch); !done) {
        if (done.error().kind() != Errc::no_space) fail_writing();
        return done.error();
    }
    if (!active_since_) active_since_ = clock_.now();
    end_.store(header->next_offset().value(), std::memory_order_release);
    return first;
}

Result<void> Log::commit() {
    if (failed_) return Error(Errc::sync_failed, "log " + name_ + " is closed for writing");
    if (high_watermark() == log_end_offset()) return {};
    if (options_.durability == Durability::fsync) {
        if (auto done = segments_.back()->sync(); !done) {
            // The kernel may have dropped the pages and cleared the error: a second sync proves nothing.
            fail_writing();
            return Error(Errc::sync_failed, done.error().message());
        }
    }
    high_watermark_.store(end_.load(), std::memory_order_release);
    const std::lock_guard lock(subscribers_mutex_);
    for (const auto& weak : subscribers_) {
        if (const auto wake = weak.lock()) (*wake)();
    }
    return {};
}

Result<void> Log::delete_oldest(std::optional<Offset> finished, const char* reason) {
    std::shared_ptr<Segment> oldest;
    Offset next;
    {
        const std::lock_guard lock(mutex_);
        SLUICE_ASSERT(segments_.size() > 1);
        oldest = segments_.front();
        segments_.erase(segments_.begin());
        next = segments_.front()->base_offset();
    }
    if (finished && *finished < next && on_gap_) {
        on_gap_({name_, std::max(*finished, oldest->base_offset()), next, reason});
    }
    if (auto done = oldest->remove(); !done) return done;
    return files_.sync_directory(directory_);
}

Result<void> Log::delete_expired(std::optional<Offset> finished) {
    while (segments_.size() > 1) {
        const auto next = segments_[1]->base_offset();
        if (finished && options_.hold_until_forwarded && next > *finished) return {};
        const auto written = segments_.front()->file().modified();
        if (!written) return written.error();
        const bool too_old = options_.retention && clock_.now() - *written > *options_.retention;
        const bool too_much = options_.retention_bytes && size_bytes() > *options_.retention_bytes;
        if (!too_old && !too_much) return {};
        if (auto done = delete_oldest(finished, too_old ? "retention (age)" : "retention (size)"); !done) return done;
    }
    return {};
}

Result<void> Log::delete_finished(Offset finished) {
    while (segments_.size() > 1 && segments_[1]->base_offset() <= finished) {
        if (auto done = delete_oldest(finished, ""); !done) return done;
    }
    return {};
}

Result<void> Log::close() {
    if (auto done = commit(); !done) return done;
    return segments_.back()->close();
}

void Log::report_damage(const Segment& segment, FilePosition position, Offset first, Offset next) const {
    {
        const std::lock_guard lock(mutex_);
        if (!reported_damage_.insert(segment.path() + ":" + std::to_string(position.value())).second) return;
    }
    if (on_gap_) {
        on_gap_({name_, first, next,
                 "damaged bytes at " + segment.path() + ":" + std::to_string(position.value()) + " were skipped"});
    }
}

std::shared_ptr<const Segment> Log::segment_for(Offset offset) const {
    const std::lock_guard lock(mutex_);
    const auto after = std::upper_bound(segments_.begin(), segments_.end(), offset,
                                        [](Offset a, const auto& segment) { return a < segment->base_offset(); });
    return after == segments_.begin() ? segments_.front() : *std::prev(after);
}

std::shared_ptr<const Segment> Log::segment_after(const Segment& segment) const {
    const std::lock_guard lock(mutex_);
    const auto after = std::upper_bound(segments_.begin(), segments_.end(), segment.base_offset(),
                                        [](Offset a, const auto& candidate) { return a < candidate->base_offset(); });
    return after == segments_.end() ? nullptr : *after;
}

}  // namespace sluice::storage
