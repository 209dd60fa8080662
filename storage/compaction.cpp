#include "storage/compaction.hpp"

#include "storage/checked_file.hpp"
#include "storage/key_table.hpp"
#include "storage/read_ahead.hpp"

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

namespace sluice::storage {

namespace {

constexpr const char* kCheckpointFile = "cleaner-offset";
constexpr std::size_t kMappedBytes = 512U << 10U;

/// How far the log is clean. Only a shortcut: without it the whole log counts as dirty.
Offset read_checkpoint(FileSystem& files, const Log& log) {
    const auto text = load_checked(files, log.directory() + "/" + kCheckpointFile);
    const auto offset = text ? parse_number_line(text->text) : std::nullopt;
    // Beyond the end it belongs to another log.
    if (!offset || Offset(*offset) > log.log_end_offset()) return log.log_start_offset();
    return std::max(Offset(*offset), log.log_start_offset());
}

/// The latest offset of each key, relative to where the dirty part starts.
class LatestOffsets {
 public:
    LatestOffsets(std::size_t bytes, Offset base, Offset end) : table_(bytes, end - base), base_(base), end_(base) {}

    /// @return false where the table is full: the record and those after it are not in it
    bool note(const RecordView& record) {
        const auto relative = record.offset - base_;
        if (relative > static_cast<std::int64_t>(KeyTable::kValueMax)) return false;
        if (record.key && !table_.put(*record.key, static_cast<std::uint32_t>(relative))) return false;
        end_ = record.offset + 1;
        return true;
    }
    void note_end(Offset end) { end_ = std::max(end_, end); }
    [[nodiscard]] Offset end() const { return end_; }

    [[nodiscard]] bool has_later(const RecordView& record) const {
        const auto relative = table_.find(*record.key);
        return relative && base_ + static_cast<std::int64_t>(*relative) > record.offset;
    }

 private:
    KeyTable table_;
    const Offset base_;
    Offset end_;  // records below it have been noted
};

class CompactionFilter final : public RecordFilter {
 public:
    CompactionFilter(const LatestOffsets& latest, const Log& log, Timestamp now)
        : latest_(latest), finished_(log.finished()), now_(now), horizon_(now + log.options().delete_retention) {}

    Verdict judge(const RecordView& record, const BatchHeader& batch) override {
        if (!record.key || record.offset >= latest_.end()) return Verdict::keep;
        if (latest_.has_later(record)) {
            if (!finished_ || record.offset >= *finished_) ++not_forwarded_;
            return Verdict::leave_out;
        }
        // What a tombstone deletes may stay for ever in a transaction before it: so must the tombstone.
        if (record.value || transactions_) return Verdict::keep;
        const auto horizon = batch.delete_horizon();
        if (!horizon) return Verdict::keep_until_horizon;
        // A forwarder that is behind must still hear of the deletion.
        const bool needed = finished_ && record.offset >= *finished_;
        return now_ >= *horizon && !needed ? Verdict::leave_out : Verdict::keep;
    }
    [[nodiscard]] Timestamp delete_horizon() const override { return horizon_; }
    void note_transaction() override { transactions_ = true; }
    /// Left out since the last call, though the forwarder has not had them.
    [[nodiscard]] std::int64_t take_not_forwarded() { return std::exchange(not_forwarded_, 0); }

 private:
    std::int64_t not_forwarded_ = 0;
    bool transactions_ = false;
    const LatestOffsets& latest_;
    const std::optional<Offset> finished_;
    const Timestamp now_;
    const Timestamp horizon_;
};

class Pass {
 public:
    Pass(FileSystem& files, Log& log, const Clock& clock, const CompactionOptions& options, const Pace& pace)
        : files_(files),
          log_(log),
          clock_(clock),
          options_(options),
          pace_(pace),
          dirty_from_(read_checkpoint(files, log)) {}

    Result<CompactionResult> run() {
        result_.clean_to = dirty_from_;
        const auto segments = cleanable();
        if (segments.empty() || !is_dirty_enough(segments)) return result_;
        LatestOffsets latest(options_.table_bytes, dirty_from_, *segments.back()->next_base());
        const auto all = gather(segments, latest);
        if (!all) return all.error();
        if (latest.end() == dirty_from_) return result_;
        result_.more = !*all;
        if (auto done = rewrite(segments, latest); !done) return done.error();
        result_.clean_to = latest.end();
        const auto checkpoint = std::to_string(latest.end().value()) + "\n";
        if (auto done = store_checked(files_, log_.directory(), kCheckpointFile, checkpoint); !done)
            return done.error();
        return result_;
    }

 private:
    /// Closed segments up to the first one that has to be left alone.
    [[nodiscard]] SegmentSet::Segments cleanable() const {
        const auto& options = log_.options();
        auto segments = log_.cleanable();
        const auto held = [&](const auto& segment) {
            // A lag of 0 holds nothing, not even where the clock was set back.
            const bool young =
                options.min_compaction_lag.count() > 0 && segment->age(clock_) < options.min_compaction_lag;
            const auto cursor = log_.finished();
            const bool awaited =
                options.hold_until_forwarded && !options_.room_is_needed && cursor && *segment->next_base() > *cursor;
            return young || awaited || *segment->next_base() > log_.hold_from();
        };
        segments.erase(std::find_if(segments.begin(), segments.end(), held), segments.end());
        return segments;
    }

    [[nodiscard]] bool is_dirty_enough(const SegmentSet::Segments& segments) const {
        double clean = 0;
        double dirty = 0;
        for (const auto& segment : segments) {
            const auto bytes = static_cast<double>(segment->end_position().value());
            (*segment->next_base() <= dirty_from_ ? clean : dirty) += bytes;
        }
        if (dirty == 0) return false;
        return options_.whatever_the_ratio || options_.room_is_needed ||
               dirty / (clean + dirty) >= log_.options().min_dirty_ratio;
    }

    /// @return whether all keys fitted
    Result<bool> gather(const SegmentSet::Segments& segments, LatestOffsets& latest) {
        ReadAhead ahead(kMappedBytes);
        for (const auto& segment : segments) {
            if (*segment->next_base() <= dirty_from_) continue;
            const auto file = segment->open();
            if (!file) return file.error();
            ahead.forget();
            const auto end = segment->end_position();
            for (FilePosition at; at < end;) {
                const auto bytes = next_batch(**file, ahead, at, end, log_.marks());
                if (!bytes) return bytes.error();
                at = at + bytes->size();
                const auto batch = DecodedBatch::decode(*bytes);
                if (!batch) return batch.error().at(segment->path());
                if (!note(*batch, latest)) return false;
                result_.bytes_read += bytes->size();
                if (!pace_(bytes->size())) return Error(Errc::closed, "cleaning was interrupted");
            }
            latest.note_end(*segment->next_base());
        }
        return true;
    }

    static Result<std::span<const std::byte>> next_batch(const File& file, ReadAhead& ahead, FilePosition at,
                                                         FilePosition end, const BatchMarks& marks) {
        const auto head = ahead.at(file, at, kBatchHeaderBytes, end);
        if (!head) return head.error();
        const auto header = decode_batch_header(*head, marks);
        if (!header) return header.error();
        return ahead.at(file, at, header->size_bytes, end);
    }

    bool note(const DecodedBatch& batch, LatestOffsets& latest) const {
        // It may have been aborted, so it supersedes nothing; and it stays (segment_rewriter.cpp).
        if (batch.header().is_transactional()) return true;
        const auto& records = batch.records();
        return std::all_of(records.begin(), records.end(), [&](const RecordView& record) {
            return record.offset < dirty_from_ || latest.note(record);
        });
    }

    Result<void> rewrite(const SegmentSet::Segments& segments, const LatestOffsets& latest) {
        CompactionFilter filter(latest, log_, clock_.now());
        auto first = segments.begin();
        while (first != segments.end() && (*first)->base_offset() < latest.end()) {
            const auto group_end = end_of_group(first, segments.end(), latest.end());
            const SegmentSet::Segments group(first, group_end);
            const auto rewritten =
                rewrite_segments(files_, log_, group, filter, pace_, [&](const Rewritten&) -> Result<void> {
                    const auto lost = filter.take_not_forwarded();
                    if (lost == 0 || !options_.room_is_needed) return {};
                    return log_.give_up({log_.name(), group.front()->base_offset(), *group.back()->next_base(), lost,
                                         "no space: compacted before it was forwarded (on_full = \"compact\")"});
                });
            if (!rewritten) return rewritten.error();
            result_.bytes_read += rewritten->bytes_before;
            result_.bytes_freed += rewritten->bytes_before - std::min(rewritten->bytes_before, rewritten->bytes_after);
            result_.records_left_out += rewritten->records_left_out;
            first = group_end;
        }
        return {};
    }

    /// Neighbours that fit in one segment become one.
    [[nodiscard]] SegmentSet::Segments::const_iterator end_of_group(SegmentSet::Segments::const_iterator first,
                                                                    SegmentSet::Segments::const_iterator last,
                                                                    Offset limit) const {
        constexpr std::int64_t kSpanMax = std::numeric_limits<std::int32_t>::max();
        auto bytes = (*first)->end_position().value();
        auto end = std::next(first);
        for (; end != last && (*end)->base_offset() < limit; ++end) {
            bytes += (*end)->end_position().value();
            if (bytes > log_.options().segment_bytes) break;
            if (*(*end)->next_base() - (*first)->base_offset() > kSpanMax) break;
        }
        return end;
    }

    FileSystem& files_;
    Log& log_;
    const Clock& clock_;
    const CompactionOptions options_;
    const Pace& pace_;
    const Offset dirty_from_;
    CompactionResult result_;
};

}  // namespace

Result<CompactionResult> compact(FileSystem& files, Log& log, const Clock& clock, const CompactionOptions& options,
                                 const Pace& pace) {
    return Pass(files, log, clock, options, pace).run();
}

}  // namespace sluice::storage
