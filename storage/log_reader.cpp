#include "storage/log_reader.hpp"

#include "storage/batch_scan.hpp"

#include <algorithm>
#include <utility>

namespace sluice::storage {

LogReader::LogReader(const Log& log, Offset start, std::size_t read_ahead_bytes)
    : log_(log), position_(start), ahead_(read_ahead_bytes) {}

void LogReader::seek(Offset offset) {
    position_ = offset;
    leave_segment();
}

void LogReader::leave_segment() {
    segment_.reset();
    file_.reset();
    ahead_.forget();
}

Result<std::optional<DecodedBatch>> LogReader::next(DecodedBatch memory) {
    const auto limit = log_.high_watermark();
    if (!segment_) position_ = std::max(position_, log_.log_start_offset());
    while (position_ < limit) {
        if (const auto batch = log_.tail().find(position_)) {
            leave_segment();  // further on is memory too, as long as the reader keeps up
            auto taken = take_from_memory(batch, limit);
            if (!taken || *taken || position_ >= limit) return taken;
            continue;
        }
        if (!segment_) {
            const auto opened = open_segment();
            if (!opened) return opened.error();
            if (!*opened) continue;
        }
        auto batch = next_in_segment(limit, memory);
        if (!batch || *batch) return batch;
        if (!go_past_segment(limit)) break;
    }
    return std::optional<DecodedBatch>();
}

Result<std::optional<DecodedBatch>> LogReader::take_from_memory(const TailCache::Bytes& batch, Offset limit) {
    auto decoded = DecodedBatch::view(batch);
    if (!decoded) return decoded.error();
    const auto& header = decoded->header();
    if (header.next_offset() > limit) {
        // Appended and not yet accepted. A batch is accepted as a whole, so nothing before it is left either.
        position_ = std::max(position_, std::min(limit, header.base_offset));
        return std::optional<DecodedBatch>();
    }
    decoded->drop_before(position_);
    position_ = header.next_offset();
    return std::optional(std::move(*decoded));
}

/// Opens the segment that holds position(); false where it was deleted or replaced meanwhile: look again.
Result<bool> LogReader::open_segment() {
    const auto unchanged = log_.segments().keep_files();
    position_ = std::max(position_, log_.log_start_offset());
    auto segment = log_.segments().find(position_);
    auto file = segment->open();
    if (!file) {
        const bool gone = log_.segments().find(position_) != segment;
        if (gone && file.error().kind() == Errc::not_found) return false;
        return file.error();
    }
    const auto at = segment->look_up(position_, **file);
    if (!at) return at.error();
    segment_ = std::move(segment);
    file_ = std::move(*file);
    file_position_ = *at;
    ahead_.forget();
    return true;
}

/// The next batch below `limit` in the current segment, or nullopt at its end.
Result<std::optional<DecodedBatch>> LogReader::next_in_segment(Offset limit, DecodedBatch& memory) {
    while (file_position_ < segment_->end_position() && position_ < limit) {
        const auto head = ahead_.at(*file_, file_position_, kBatchHeaderBytes, segment_->end_position());
        if (!head) return head.error();
        const auto header = decode_batch_header(*head, log_.marks());
        // Nothing of a header is believed before its checksum, nor what can't be in this segment.
        const bool fits = header && header->size_bytes <= segment_->end_position() - file_position_ &&
                          header->next_offset() <= segment_->next_base().value_or(header->next_offset());
        if (fits) {
            const auto bytes = ahead_.at(*file_, file_position_, header->size_bytes, segment_->end_position());
            if (!bytes) return bytes.error();
            const bool intact = batch_crc_matches(*bytes);
            if (intact && header->base_offset > position_) {
                log_.report_hole(position_, std::min(limit, header->base_offset));
            }
            if (intact && header->base_offset >= limit) {
                position_ = limit;  // nothing is between
                return std::optional<DecodedBatch>();
            }
            if (intact && header->next_offset() <= position_) {
                file_position_ = file_position_ + header->size_bytes;  // before what is looked for
                continue;
            }
            if (auto batch = DecodedBatch::decode(*bytes, std::exchange(memory, {}))) {
                batch->drop_before(position_);
                file_position_ = file_position_ + header->size_bytes;
                position_ = header->next_offset();
                if (batch->records().empty()) continue;
                return std::optional(std::move(*batch));
            }
        }
        if (auto done = skip_damage(limit); !done) return done.error();
    }
    return std::optional<DecodedBatch>();
}

/// At the end of a segment's file: on to the next one, or to what is only in memory.
/// @return false where there is nothing further yet
bool LogReader::go_past_segment(Offset limit) {
    const auto next_base = segment_->next_base();
    std::optional<Offset> further;
    if (next_base && file_position_ >= segment_->end_position() && *next_base > segment_->base_offset()) {
        // What holds the next offset may begin before it: the cleaner makes one segment of several.
        if (log_.segments().find(*next_base) != segment_) {
            log_.report_hole(position_, std::min(limit, *next_base));
            position_ = std::max(position_, *next_base);
            leave_segment();
            return position_ < limit;
        }
        // Where a roll found no space at first, the next segment starts later than was meant.
        further = log_.segments().first_base_after(*next_base);
    }
    if (position_ >= limit) return false;
    // Durability "memory": what the forwarder has finished is never written, so offsets are missing here. The file is
    // looked at after the memory: what was written between the two must not be jumped over.
    auto jump = log_.tail().first_after(position_);
    if (further && (!jump || *further < *jump)) jump = further;
    if (!jump || file_position_ < segment_->end_position() || segment_->next_base() != next_base)
        return jump.has_value();
    position_ = std::max(position_, *jump);
    leave_segment();
    return position_ < limit;
}

/// Moves past bytes that are no batch, to the next intact one or the end of the segment, and reports the gap.
Result<void> LogReader::skip_damage(Offset limit) {
    const auto end = segment_->end_position();
    const auto found = find_intact_batch(*file_, file_position_ + 1, end, position_, log_.marks());
    if (!found) return found.error();
    const auto damaged_at = file_position_;
    auto next = segment_->next_base().value_or(limit);
    if (*found) {
        std::vector<std::byte> batch;
        const auto header = read_intact_batch(*file_, **found, end, position_, log_.marks(), batch);
        if (!header) return header.error();
        if (*header) next = (*header)->base_offset;
    }
    next = std::min({limit, next, segment_->next_base().value_or(limit)});
    file_position_ = *found ? **found : end;
    ahead_.forget();
    log_.report_damage(*segment_, damaged_at, position_, next);
    position_ = std::max(position_, next);
    return {};
}

}  // namespace sluice::storage
