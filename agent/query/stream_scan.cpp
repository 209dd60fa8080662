#include "agent/query/stream_scan.hpp"

#include "storage/batch_scan.hpp"

#include <algorithm>
#include <utility>

namespace sluice::agent::query {

using storage::BatchHeader;
using storage::Errc;
using storage::FilePosition;
using storage::Offset;
using storage::Result;

namespace {

constexpr std::size_t kPieceBytes = 256U << 10U;

}  // namespace

StreamScan::StreamScan(storage::FileSystem& files, StreamFiles stream, ScanRange range)
    : files_(files),
      stream_(std::move(stream)),
      range_(std::move(range)),
      first_(range_.first),
      last_(range_.last),
      ahead_(kPieceBytes) {}

Result<std::optional<StreamScan::Batch>> StreamScan::next() {
    while (first_ <= last_) {
        if (file_ == nullptr) {
            const auto opened = open_segment();
            if (!opened) return opened.error();
            if (!*opened) break;
        }
        auto batch = next_in_file();
        if (!batch || *batch) return batch;
        file_.reset();
        pass(base_);
    }
    return std::optional<Batch>();
}

/// The segment to look into now, by what is still to be given.
std::optional<Offset> StreamScan::next_base() const {
    const auto& bases = stream_.segments;
    if (range_.descending) {
        const auto after = std::upper_bound(bases.begin(), bases.end(), passed_ ? *passed_ + -1 : last_);
        return after == bases.begin() ? std::nullopt : std::optional(*std::prev(after));
    }
    auto after = std::upper_bound(bases.begin(), bases.end(), first_);
    if (after != bases.begin()) --after;
    if (passed_) after = std::max(after, std::upper_bound(bases.begin(), bases.end(), *passed_));
    return after == bases.end() ? std::nullopt : std::optional(*after);
}

void StreamScan::pass(Offset base) {
    passed_ = base;
}

/// @return false where there is none left
Result<bool> StreamScan::open_segment() {
    for (;;) {
        const auto base = next_base();
        if (!base || *base > last_) return false;
        const auto after = std::upper_bound(stream_.segments.begin(), stream_.segments.end(), *base);
        if (range_.descending && after != stream_.segments.end() && *after <= first_) return false;
        std::optional<Offset> from = first_;
        if (range_.since) {
            const auto found = first_offset_in_segment(files_, stream_, *base, *range_.since);
            // Gone: opening it finds that too.
            if (!found && found.error().kind() != Errc::not_found) return found.error();
            if (found) from = *found ? std::optional(std::max(first_, **found)) : std::nullopt;
        }
        if (!from || (range_.key && segment_lacks_key(files_, stream_, *base, *range_.key))) {
            pass(*base);
            continue;
        }
        const auto opened = open_file(*base, *from);
        if (!opened || *opened) return opened;
    }
}

/// @return false where it was gone, and the stream was looked at again
Result<bool> StreamScan::open_file(Offset base, Offset from) {
    auto file = files_.open(stream_.segment_path(base), storage::OpenMode::read);
    if (!file && file.error().kind() == Errc::not_found) {
        auto now = look_again(files_, stream_);
        if (!now && now.error().kind() != Errc::not_found) return now.error();
        stream_ = now ? std::move(*now) : StreamFiles();  // without segments
        // What was in a segment that was passed is now perhaps in one that begins earlier.
        if (!range_.descending) passed_.reset();
        return false;
    }
    if (!file) return file.error();
    const auto size = (*file)->size();
    if (!size) return size.error();
    file_ = std::move(*file);
    base_ = base;
    end_ = FilePosition(*size);
    at_ = start_in_segment(files_, stream_, *file_, base, end_, from);
    at_least_ = base;
    ahead_.forget();
    ++stats_.segments;
    if (range_.descending) {
        if (auto done = note_places(); !done) return done.error();
    }
    return true;
}

bool StreamScan::is_useful(const BatchHeader& header) const {
    return header.record_count > 0 && header.last_offset() >= first_ && header.base_offset <= last_ &&
           (!range_.since || header.max_timestamp >= *range_.since);
}

/// The intact batch at at_, which is then behind it; nullopt where there is none.
Result<std::optional<StreamScan::Batch>> StreamScan::take() {
    if (end_ - at_ < storage::kBatchHeaderBytes) return std::optional<Batch>();
    const auto head = ahead_.at(*file_, at_, storage::kBatchHeaderBytes, end_);
    if (!head) return head.error();
    const auto header = storage::decode_batch_header(*head, stream_.marks);
    if (!header || header->base_offset < at_least_ || header->size_bytes > end_ - at_) return std::optional<Batch>();
    const auto bytes = ahead_.at(*file_, at_, header->size_bytes, end_);
    if (!bytes) return bytes.error();
    stats_.bytes += bytes->size();
    if (bytes->size() != header->size_bytes || !storage::batch_crc_matches(*bytes)) return std::optional<Batch>();
    at_ = at_ + header->size_bytes;
    at_least_ = header->next_offset();
    return std::optional(Batch{*header, *bytes, first_, last_});
}

/// To the next intact batch, or to the end.
Result<void> StreamScan::skip_damage() {
    ahead_.forget();
    const auto found = storage::find_intact_batch(*file_, at_, end_, at_least_, stream_.marks);
    if (!found) return found.error();
    const bool closed = !stream_.segments.empty() && base_ != stream_.segments.back();
    if (*found ? **found != at_ : closed) ++stats_.damaged;  // found right here: completed meanwhile
    at_ = found->value_or(end_);
    return {};
}

Result<std::optional<StreamScan::Batch>> StreamScan::next_in_file() {
    if (range_.descending) return take_back();
    while (at_ < end_) {
        const auto batch = take();
        if (!batch) return batch.error();
        if (!*batch) {
            if (auto done = skip_damage(); !done) return done.error();
            continue;
        }
        const auto& header = (*batch)->header;
        if (header.base_offset > last_) {
            first_ = last_ + 1;
            break;
        }
        const bool useful = is_useful(header);
        first_ = std::max(first_, header.next_offset());
        if (!useful) continue;
        ++stats_.batches;
        return *batch;
    }
    return std::optional<Batch>();
}

/// Descending: where the useful batches of the file are.
Result<void> StreamScan::note_places() {
    places_.clear();
    while (at_ < end_) {
        const auto begin = at_;
        const auto batch = take();
        if (!batch) return batch.error();
        if (!*batch) {
            if (auto done = skip_damage(); !done) return done.error();
            continue;
        }
        if ((*batch)->header.base_offset > last_) break;
        if (is_useful((*batch)->header)) places_.push_back({begin, (*batch)->header.size_bytes});
    }
    return {};
}

Result<std::optional<StreamScan::Batch>> StreamScan::take_back() {
    while (!places_.empty()) {
        const auto place = places_.back();
        places_.pop_back();
        bytes_.resize(place.size_bytes);
        const auto got = file_->read_at(place.position, bytes_);
        if (!got) return got.error();
        const auto header = storage::decode_batch_header(bytes_, stream_.marks);
        if (*got != bytes_.size() || !header || !storage::batch_crc_matches(bytes_)) {
            ++stats_.damaged;  // since it was noted
            continue;
        }
        if (!is_useful(*header)) continue;
        const Batch batch{*header, bytes_, first_, last_};
        last_ = std::min(last_, header->base_offset + -1);
        ++stats_.batches;
        return std::optional(batch);
    }
    return std::optional<Batch>();
}

}  // namespace sluice::agent::query
