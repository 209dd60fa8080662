#include "storage/segment_rewriter.hpp"

#include "storage/assert.hpp"
#include "storage/read_ahead.hpp"
#include "storage/recovery.hpp"

#include <algorithm>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

namespace sluice::storage {

namespace {

constexpr std::size_t kCopiedBytes = 512U << 10U;
constexpr std::size_t kJoinedBytes = 256U << 10U;   // batches are joined up to this
constexpr std::size_t kLeftAloneBytes = 4U << 10U;  // a whole batch of at least this is not worth joining
constexpr std::int64_t kDeltaMax = std::numeric_limits<std::int32_t>::max();
constexpr std::uint64_t kSyncEveryBytes = 1U << 20U;  // so that commits never wait behind a long sync

Error gave_up() {
    return {Errc::closed, "cleaning was interrupted"};
}

/// The file that is written, with its indexes.
class Output {
 public:
    Output(FileSystem& files, const Log& log, const Segment& first, const Pace& pace)
        : files_(files),
          path_(log.directory() + "/" + segment_file_name(first.base_offset(), kCleanedSuffix)),
          index_(first.base_offset()),
          pace_(pace) {}

    [[nodiscard]] bool is_open() const { return file_ != nullptr; }
    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] SegmentIndex& index() { return index_; }
    [[nodiscard]] std::uint64_t size() const { return end_.value(); }

    Result<void> open() {
        if (file_) return {};
        auto file = files_.open(path_, OpenMode::create);
        if (!file) return file.error();
        file_ = std::move(*file);
        return file_->truncate(0);
    }

    Result<void> write(const BatchHeader& header, std::span<const std::byte> batch) {
        if (auto done = open(); !done) return done;
        if (auto done = file_->write_at(end_, batch); !done) return done;
        index_.note(header, end_);
        end_ = end_ + batch.size();
        if (end_ - synced_ >= kSyncEveryBytes) {
            if (auto done = file_->sync_data(); !done) return done;
            synced_ = end_;
        }
        if (!pace_(batch.size())) return gave_up();
        return {};
    }

    Result<void> finish(Timestamp modified) {
        if (auto done = file_->set_modified(modified); !done) return done;
        return file_->sync_data();
    }

 private:
    FileSystem& files_;
    const std::string path_;
    std::unique_ptr<File> file_;
    FilePosition end_;
    FilePosition synced_;
    SegmentIndex index_;
    const Pace& pace_;
};

class Rewrite {
 public:
    Rewrite(FileSystem& files, Log& log, const SegmentSet::Segments& group, RecordFilter& filter, const Pace& pace)
        : files_(files),
          log_(log),
          group_(group),
          filter_(filter),
          pace_(pace),
          ahead_(kCopiedBytes),
          output_(files, log, *group.front(), pace) {}

    Result<Rewritten> run(const std::function<Result<void>(const Rewritten&)>& before_swap) {
        // Several files become one whatever is in them; of one, nothing is written before the first change.
        changed_ = group_.size() > 1;
        covered_ = group_.front()->base_offset();
        auto modified = group_.front()->modified();
        for (const auto& segment : group_) {
            modified = std::max(modified, segment->modified());
            result_.bytes_before += segment->end_position().value();
            if (auto done = copy(*segment); !done) return undo(done.error());
        }
        if (!changed_) {
            result_.bytes_after = result_.bytes_before;
            return result_;
        }
        if (auto done = flush(); !done) return undo(done.error());
        if (auto done = cover_up_to(*group_.back()->next_base()); !done) return undo(done.error());
        if (auto done = output_.open(); !done) return undo(done.error());
        if (auto done = output_.finish(modified); !done) return undo(done.error());
        if (before_swap) {
            if (auto done = before_swap(result_); !done) return undo(done.error());
        }
        if (auto done = put_in_place(modified); !done) {
            // Half done on disk, and the next start completes it; until then nobody may touch these files.
            return Error(Errc::sync_failed, done.error().message());
        }
        result_.bytes_after = output_.size();
        return result_;
    }

 private:
    Error undo(const Error& error) {
        if (output_.is_open()) static_cast<void>(files_.remove(output_.path()));  // else a start removes it
        return error.of_scrapped_file();
    }

    Result<void> copy(const Segment& segment) {
        auto file = segment.open();
        if (!file) return file.error();
        ahead_.forget();
        met_ = segment.base_offset();
        const auto end = segment.end_position();
        for (FilePosition at; at < end;) {
            const auto head = ahead_.at(**file, at, kBatchHeaderBytes, end);
            if (!head) return head.error();
            const auto header = decode_batch_header(*head, log_.marks());
            if (!header || header->size_bytes > end - at) return damaged(segment, at);
            const auto bytes = ahead_.at(**file, at, header->size_bytes, end);
            if (!bytes) return bytes.error();
            if (auto done = copy_batch(segment, **file, at, *header, *bytes); !done) return done;
            if (!pace_(header->size_bytes)) return gave_up();
            at = at + header->size_bytes;
        }
        return log_.give_up_hole(met_, *segment.next_base());
    }

    /// What is written covers all offsets, so what is missing is told now or never.
    Result<void> meet(const BatchHeader& header) {
        auto done = log_.give_up_hole(met_, header.base_offset);
        met_ = header.next_offset();
        return done;
    }

    static Error damaged(const Segment& segment, FilePosition at) {
        return {Errc::corrupt,
                segment.path() + ":" + std::to_string(at.value()) + ": damaged bytes; the segment is not cleaned"};
    }

    Result<void> copy_batch(const Segment& segment, const File& file, FilePosition at, const BatchHeader& header,
                            std::span<const std::byte> bytes) {
        // Not of our making (a carried disk): what a transaction needs to be read right is not taken apart.
        if (header.is_control() || header.is_transactional()) {
            filter_.note_transaction();
            if (!batch_crc_matches(bytes)) return damaged(segment, at);
            if (auto done = meet(header); !done) return done;
            return pass_on(header, bytes);
        }
        auto batch = DecodedBatch::decode(bytes);
        if (!batch) return damaged(segment, at);
        if (auto done = meet(header); !done) return done;
        kept_.clear();
        bool needs_horizon = false;
        for (const auto& record : batch->records()) {
            const auto verdict = filter_.judge(record, header);
            if (verdict == RecordFilter::Verdict::leave_out) continue;
            needs_horizon |= verdict == RecordFilter::Verdict::keep_until_horizon;
            kept_.push_back(&record);
        }
        const auto left_out = batch->records().size() - kept_.size();
        result_.records_left_out += static_cast<std::int64_t>(left_out);
        const bool new_horizon = needs_horizon && !header.delete_horizon();
        if (left_out == 0 && !new_horizon && (!changed_ || bytes.size() >= kLeftAloneBytes)) {
            return pass_on(header, bytes);
        }
        if (auto done = start_changing(file, at); !done) return done;
        return join(header, new_horizon ? std::optional(filter_.delete_horizon()) : header.delete_horizon());
    }

    /// Copies a batch as it is, if anything is written at all.
    Result<void> pass_on(const BatchHeader& header, std::span<const std::byte> bytes) {
        if (!changed_) return {};
        if (auto done = flush(); !done) return done;
        return write(header, bytes);
    }

    Result<void> write(const BatchHeader& header, std::span<const std::byte> bytes) {
        if (auto done = cover_up_to(header.base_offset); !done) return done;
        covered_ = header.next_offset();
        return output_.write(header, bytes);
    }

    /// Where all records were left out, an empty batch stands for their offsets.
    Result<void> cover_up_to(Offset next) {
        next = std::min(next, group_.front()->base_offset() + kDeltaMax);
        if (covered_ >= next) return {};
        const auto gone = empty_batch(covered_, next, log_.marks());
        covered_ = next;
        return output_.write(gone.header, gone.bytes);
    }

    /// At the first change: what came before it in the file is copied.
    Result<void> start_changing(const File& file, FilePosition until) {
        if (changed_) return {};
        changed_ = true;
        ReadAhead ahead(kCopiedBytes);
        for (FilePosition at; at < until;) {
            const auto head = ahead.at(file, at, kBatchHeaderBytes, until);
            if (!head) return head.error();
            const auto header = decode_batch_header(*head, log_.marks());
            if (!header) return header.error();
            const auto bytes = ahead.at(file, at, header->size_bytes, until);
            if (!bytes) return bytes.error();
            if (auto done = write(*header, *bytes); !done) return done;
            at = at + header->size_bytes;
        }
        return {};
    }

    /// Adds the kept records of a batch to those that wait. Batches with different horizons don't mix.
    Result<void> join(const BatchHeader& header, std::optional<Timestamp> horizon) {
        if (kept_.empty()) return {};
        const bool fits = !builder_.empty() && horizon == horizon_ && builder_.size_bytes() < kJoinedBytes &&
                          header.last_offset() - first_ <= kDeltaMax;
        if (!fits) {
            if (auto done = flush(); !done) return done;
            first_ = header.last_offset() - covered_ <= kDeltaMax ? covered_ : kept_.front()->offset;
            horizon_ = horizon;
            if (horizon) builder_.set_delete_horizon(*horizon);
        }
        for (const auto* record : kept_) builder_.add_at(static_cast<std::int32_t>(record->offset - first_), *record);
        last_ = header.last_offset();
        return {};
    }

    Result<void> flush() {
        if (builder_.empty()) return {};
        const auto batch = builder_.finish(first_, log_.options().compression, log_.marks(),
                                           static_cast<std::int32_t>(last_ - first_));
        if (!batch) return batch.error();
        auto done = write(batch->header, batch->bytes);
        builder_.clear();
        return done;
    }

    /// From the rename to the swap file on, the new segment is the truth, whatever is killed.
    Result<void> put_in_place(Timestamp modified) {
        const auto base = group_.front()->base_offset();
        const auto next = group_.back()->next_base();
        SLUICE_ASSERT(next.has_value());
        const auto& directory = log_.directory();
        if (auto done = files_.rename(output_.path(), directory + "/" + swap_file_name(base, *next)); !done)
            return done;
        if (auto done = files_.sync_directory(directory); !done) return done;
        const auto alone = log_.segments().change_files();
        if (auto done = swap_in(files_, directory, base, *next); !done) return done;
        // Without its indexes the segment is only slower.
        static_cast<void>(write_indexes(files_, directory, base, output_.index()));
        log_.replace_segments(base, *next, {output_.size(), modified}, result_.bytes_before);
        return {};
    }

    FileSystem& files_;
    Log& log_;
    const SegmentSet::Segments& group_;
    RecordFilter& filter_;
    const Pace& pace_;
    ReadAhead ahead_;
    Output output_;
    bool changed_ = false;
    BatchBuilder builder_;  // kept records that are not written yet
    Offset first_;          // … the first offset that they stand for
    Offset last_;           // … and the last
    Offset covered_;        // what is written stands for the offsets below it
    Offset met_;            // what was read does
    std::optional<Timestamp> horizon_;
    std::vector<const RecordView*> kept_;
    Rewritten result_;
};

}  // namespace

Result<Rewritten> rewrite_segments(FileSystem& files, Log& log, const SegmentSet::Segments& group, RecordFilter& filter,
                                   const Pace& pace, const std::function<Result<void>(const Rewritten&)>& before_swap) {
    SLUICE_ASSERT(!group.empty());
    return Rewrite(files, log, group, filter, pace).run(before_swap);
}

}  // namespace sluice::storage
