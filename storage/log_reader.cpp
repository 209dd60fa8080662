#include "storage/log_reader.hpp"

#include "storage/batch_scan.hpp"

#include <algorithm>
#include <utility>

namespace sluice::storage {

namespace {

constexpr std::size_t kReadAheadBytes = 128U << 10U;

}  // namespace

LogReader::LogReader(const Log& log, Offset start) : log_(log), position_(start) {}

void LogReader::seek(Offset offset) {
    position_ = offset;
    segment_.reset();
}

Result<std::optional<DecodedBatch>> LogReader::next() {
    const auto limit = log_.high_watermark();
    while (position_ < limit) {
        if (!segment_) {
            position_ = std::max(position_, log_.log_start_offset());
            segment_ = log_.segment_for(position_);
            file_position_ = segment_->look_up(position_);
            buffer_.clear();
        }
        auto batch = next_in_segment(limit);
        if (!batch || *batch) return batch;
        // The segment holds no more: go on in the next one, or wait for the high watermark to move.
        auto following = log_.segment_after(*segment_);
        if (!following) break;
        if (file_position_ < segment_->end_position()) continue;
        position_ = std::max(position_, following->base_offset());
        segment_ = std::move(following);
        file_position_ = FilePosition(0);
        buffer_.clear();
    }
    return std::optional<DecodedBatch>();
}

/// The next batch below `limit` in the current segment, or nullopt at its end.
Result<std::optional<DecodedBatch>> LogReader::next_in_segment(Offset limit) {
    while (file_position_ < segment_->end_position() && position_ < limit) {
        const auto head = bytes_at(file_position_, kBatchHeaderBytes);
        if (!head) return head.error();
        const auto header = decode_batch_header(*head);
        if (header && header->base_offset >= limit) return std::optional<DecodedBatch>();
        if (header && header->next_offset() <= position_) {
            file_position_ = file_position_ + header->size_bytes;
            continue;
        }
        if (header && header->size_bytes <= segment_->end_position() - file_position_) {
            const auto bytes = bytes_at(file_position_, header->size_bytes);
            if (!bytes) return bytes.error();
            if (auto batch = DecodedBatch::decode({bytes->begin(), bytes->end()})) {
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

/// Moves past bytes that are no batch, to the next intact one or the end of the segment, and reports the gap.
Result<void> LogReader::skip_damage(Offset limit) {
    const auto end = segment_->end_position();
    const auto found = find_intact_batch(segment_->file(), file_position_ + 1, end, position_);
    if (!found) return found.error();
    const auto damaged_at = file_position_;
    auto next = limit;
    if (*found) {
        std::vector<std::byte> batch;
        const auto header = read_intact_batch(segment_->file(), **found, end, position_, batch);
        if (!header) return header.error();
        if (*header) next = std::min(limit, (*header)->base_offset);
    } else if (const auto following = log_.segment_after(*segment_)) {
        next = std::min(limit, following->base_offset());
    }
    file_position_ = *found ? **found : end;
    buffer_.clear();
    log_.report_damage(*segment_, damaged_at, position_, next);
    position_ = std::max(position_, next);
    return {};
}

/// `size` bytes at `position`, which lie before the end of the segment; read ahead as far as that.
Result<std::span<const std::byte>> LogReader::bytes_at(FilePosition position, std::size_t size) {
    const auto end = segment_->end_position();
    size = std::min<std::size_t>(size, end - position);
    const bool buffered = position >= buffer_position_ && position - buffer_position_ <= buffer_.size() &&
                          buffer_.size() - (position - buffer_position_) >= size;
    if (!buffered) {
        buffer_.resize(std::min<std::size_t>(std::max(size, kReadAheadBytes), end - position));
        const auto got = segment_->file().read_at(position, buffer_);
        if (!got) {
            buffer_.clear();
            return got.error();
        }
        buffer_.resize(*got);
        buffer_position_ = position;
    }
    const auto rest = std::span<const std::byte>(buffer_).subspan(position - buffer_position_);
    return rest.first(std::min(size, rest.size()));
}

}  // namespace sluice::storage
