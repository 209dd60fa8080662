#include "storage/batch_search.hpp"

#include "storage/batch_scan.hpp"
#include "storage/crc32c.hpp"
#include "storage/read_ahead.hpp"
#include "storage/record_batch.hpp"
#include "storage/varint.hpp"

#include <algorithm>

namespace sluice::storage {

namespace {

constexpr std::size_t kWindowBytesMax = 4U << 20U;
constexpr std::size_t kSearchedBytes = 256U << 10U;

/// Cheap, for every byte of a file: what decode_batch_header() would refuse for most.
bool may_be_header(const std::byte* at, std::uint64_t room) {
    const auto size =
        std::uint64_t{load_big_endian<std::uint32_t>(at + kBatchLengthAt)} + kBatchLengthAt + sizeof(std::uint32_t);
    return load_big_endian<std::int8_t>(at + kBatchMagicAt) == kBatchMagic && size >= kBatchHeaderBytes &&
           size <= std::min<std::uint64_t>(room, kBatchBytesMax);
}

}  // namespace

Result<std::optional<FilePosition>> BatchSearch::find(FilePosition from, Offset at_least) {
    std::vector<std::byte> bytes;
    for (auto at = from; at < end_ && end_ - at >= kBatchHeaderBytes;) {
        if (at < begin_ || at >= done_) {
            if (auto done = read_window(at); !done) return done.error();
        }
        const auto found =
            std::lower_bound(intact_.begin(), intact_.end(), at - begin_,
                             [](const Candidate& candidate, std::uint64_t wanted) { return candidate.at < wanted; });
        if (found == intact_.end()) {
            at = done_;
            continue;
        }
        at = begin_ + found->at;
        const auto header = read_intact_batch(file_, at, end_, Offset(0), marks_, bytes);
        if (!header) return header.error();
        if (*header && (*header)->base_offset >= at_least && may_follow(at_least, (*header)->base_offset)) {
            // Whoever wrote this had written what comes before it, which may not have been there when we looked.
            const auto first = read_intact_batch(file_, from, end_, at_least, marks_, bytes);
            if (!first) return first.error();
            return std::optional(*first && may_follow(at_least, (*first)->base_offset) ? from : at);
        }
        at = at + (*header ? (*header)->size_bytes : 1);  // of a deleted segment, or overwritten since
    }
    return std::optional<FilePosition>();
}

Result<void> BatchSearch::read_window(FilePosition from) {
    std::vector<std::byte> window(at_most(window_bytes_, end_ - from));
    const auto got = file_.read_at(from, window);
    if (!got) return got.error();
    window_bytes_ = std::min(4 * window_bytes_, kWindowBytesMax);
    begin_ = from;
    done_ = *got < kBatchHeaderBytes ? end_ : from + (*got - kBatchHeaderBytes + 1);  // a file may become shorter
    note_candidates(std::span(window).first(*got));
    return drop_what_is_not_intact();
}

void BatchSearch::note_candidates(std::span<const std::byte> window) {
    intact_.clear();
    std::uint32_t checksum = 0;
    std::size_t summed = 0;
    for (std::size_t i = 0; i + kBatchHeaderBytes <= window.size(); ++i) {
        if (!may_be_header(window.data() + i, end_ - (begin_ + i))) continue;
        const auto header = decode_batch_header(window.subspan(i, kBatchHeaderBytes), marks_);
        if (!header) continue;
        const auto begins = i + kBatchChecksumFrom;
        checksum = crc32c(window.subspan(summed, begins - summed), checksum);
        summed = begins;
        intact_.push_back({static_cast<std::uint32_t>(i), header->size_bytes,
                           crc32c_shift(checksum, header->size_bytes - kBatchChecksumFrom) ^ header->crc});
    }
}

Result<void> BatchSearch::drop_what_is_not_intact() {
    std::sort(intact_.begin(), intact_.end(), [](const auto& a, const auto& b) { return a.end() < b.end(); });
    ReadAhead ahead(kSearchedBytes);
    std::uint32_t checksum = 0;
    std::uint64_t summed = 0;
    auto kept = intact_.begin();
    for (const auto& candidate : intact_) {
        while (summed < candidate.end()) {
            const auto want = at_most(kSearchedBytes, candidate.end() - summed);
            const auto piece = ahead.at(file_, begin_ + summed, want, end_);
            if (!piece) return piece.error();
            if (piece->empty()) break;
            checksum = crc32c(*piece, checksum);
            summed += piece->size();
        }
        if (summed == candidate.end() && checksum == candidate.checksum) *kept++ = candidate;
    }
    intact_.erase(kept, intact_.end());
    std::sort(intact_.begin(), intact_.end(), [](const auto& a, const auto& b) { return a.at < b.at; });
    return {};
}

}  // namespace sluice::storage
