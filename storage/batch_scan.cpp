#include "storage/batch_scan.hpp"

#include "storage/batch_search.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace sluice::storage {

namespace {

constexpr std::size_t kFirstWindowBytes = 4U << 10U;
constexpr std::size_t kWindowBytes = 256U << 10U;

Result<bool> all_zero(const File& file, FilePosition from, FilePosition end) {
    std::vector<std::byte> window(kFirstWindowBytes);  // most often what is not zero is there
    while (from < end) {
        const auto want = at_most(window.size(), end - from);
        const auto got = file.read_at(from, std::span(window).first(want));
        if (!got) return got.error();
        const auto part = std::span(window).first(*got);
        if (std::any_of(part.begin(), part.end(), [](std::byte byte) { return byte != std::byte{0}; })) return false;
        if (*got < want) break;
        from = from + want;
        window.resize(kWindowBytes);
    }
    return true;
}

}  // namespace

Result<std::optional<BatchHeader>> read_intact_batch(const File& file, FilePosition at, FilePosition end,
                                                     Offset at_least, const BatchMarks& marks,
                                                     std::vector<std::byte>& bytes) {
    std::array<std::byte, kBatchHeaderBytes> head{};
    if (end - at < head.size()) return std::optional<BatchHeader>();
    const auto got = file.read_at(at, head);
    if (!got) return got.error();
    const auto header = decode_batch_header(std::span(head).first(*got), marks);
    if (!header || header->base_offset < at_least || header->size_bytes > end - at) {
        return std::optional<BatchHeader>();
    }
    bytes.resize(header->size_bytes);
    const auto whole = file.read_at(at, bytes);
    if (!whole) return whole.error();
    if (*whole != bytes.size() || !batch_crc_matches(bytes)) return std::optional<BatchHeader>();
    return std::optional(*header);
}

Result<std::optional<FilePosition>> find_intact_batch(const File& file, FilePosition from, FilePosition end,
                                                      Offset at_least, const BatchMarks& marks) {
    return BatchSearch(file, end, marks).find(from, at_least);
}

Result<SegmentScan> scan_segment(const File& file, Offset base_offset, const BatchMarks& marks,
                                 const OnBatch& on_batch) {
    SegmentScan scan(base_offset);
    if (auto done = scan_on(file, scan, marks, on_batch); !done) return done.error();
    return scan;
}

Result<void> scan_on(const File& file, SegmentScan& scan, const BatchMarks& marks, const OnBatch& on_batch) {
    const auto size = file.size();
    if (!size) return size.error();
    const FilePosition end(*size);
    std::vector<std::byte> bytes;
    BatchSearch search(file, end, marks);
    DecodedBatch decoded;
    for (auto at = scan.end; at < end;) {
        const auto header = read_intact_batch(file, at, end, scan.next_offset, marks, bytes);
        if (!header) return header.error();
        if (*header && may_follow(scan.next_offset, (*header)->base_offset)) {
            // The same test as the reader's, so that what it can't read is found and set aside.
            auto batch = DecodedBatch::decode(bytes, std::move(decoded));
            if (!batch && batch.error().kind() != Errc::corrupt) return batch.error();
            if (!batch) {
                scan.damages.push_back({at, at + (*header)->size_bytes, scan.next_offset, (*header)->next_offset()});
                scan.next_offset = (*header)->next_offset();
                at = at + (*header)->size_bytes;
                continue;
            }
            decoded = std::move(*batch);
            if (on_batch) on_batch(at, **header, bytes);
            scan.index.note(**header, at);
            scan.next_offset = (*header)->next_offset();
            scan.end = at = at + (*header)->size_bytes;
            ++scan.batches;
            continue;
        }
        const auto zero = all_zero(file, at, end);
        if (!zero) return zero.error();
        if (*zero) {
            scan.tail = Tail::zero;
            return {};
        }
        const auto next = search.find(at, scan.next_offset);
        if (!next) return next.error();
        if (!*next) {
            scan.tail = Tail::torn;
            return {};
        }
        if (**next == at) continue;  // completed meanwhile
        const auto after = read_intact_batch(file, **next, end, scan.next_offset, marks, bytes);
        if (!after) return after.error();
        scan.damages.push_back({at, **next, scan.next_offset, *after ? (*after)->base_offset : scan.next_offset});
        at = **next;
    }
    return {};
}

}  // namespace sluice::storage
