#include "storage/key_index.hpp"

#include "storage/batch_scan.hpp"
#include "storage/crc32c.hpp"
#include "storage/varint.hpp"

#include <xxhash.h>

#include <algorithm>
#include <unordered_map>

namespace sluice::storage {

namespace {

constexpr std::uint32_t kFileMagic = 0x534c4b32;     // "SLK2"
constexpr std::uint32_t kMagicTooMany = 0x534c4b30;  // "SLK0"
constexpr std::size_t kCheckedFrom = 8;
constexpr std::size_t kHeadBytes = 24;
constexpr std::size_t kEntryBytes = 12;

/// Completes the head of `bytes`, and writes them.
Result<void> write(FileSystem& files, const Segment& segment, std::uint32_t magic, std::vector<std::byte>& bytes) {
    store_big_endian(bytes.data(), magic);
    store_big_endian(bytes.data() + 8, segment.base_offset().value());
    store_big_endian(bytes.data() + 16, segment.end_position().value());
    store_big_endian(bytes.data() + 4, crc32c(std::span(bytes).subspan(kCheckedFrom)));
    return write_aside_and_rename(files, segment.path(kKeyIndexSuffix), bytes);
}

std::uint64_t hash_of(std::string_view key) {
    return XXH3_64bits(key.data(), key.size());
}

}  // namespace

Result<std::optional<KeyIndex>> KeyIndex::build(const Segment& segment, const OnBatch& on_batch) {
    const auto file = segment.open();
    if (!file) return file.error();
    std::unordered_map<std::uint64_t, std::int32_t> last;
    const auto scan = scan_segment(
        **file, segment.base_offset(), segment.marks(),
        [&](FilePosition at, const BatchHeader& header, const std::vector<std::byte>& bytes) {
            if (on_batch) on_batch(at, header, bytes);
            const auto batch = DecodedBatch::decode(bytes);
            if (!batch || last.size() > kKeysMax) return;
            for (const auto& record : batch->records()) {
                if (!record.key) continue;
                last[hash_of(*record.key)] = static_cast<std::int32_t>(record.offset - segment.base_offset());
            }
        });
    if (!scan) return scan.error();
    if (last.size() > kKeysMax) return std::optional<KeyIndex>();
    KeyIndex index(segment.base_offset());
    index.entries_.assign(last.begin(), last.end());
    std::sort(index.entries_.begin(), index.entries_.end());
    return std::optional(std::move(index));
}

Result<KeyIndex> KeyIndex::load(FileSystem& files, const Segment& segment) {
    const auto path = segment.path(kKeyIndexSuffix);
    const auto text = read_file(files, path);
    if (!text) return text.error();
    const auto bytes = std::as_bytes(std::span(*text));
    const Error bad(Errc::corrupt, path + " is no key index");
    if (bytes.size() < kHeadBytes || (bytes.size() - kHeadBytes) % kEntryBytes != 0) return bad;
    const auto magic = load_big_endian<std::uint32_t>(bytes.data());
    if (magic != kFileMagic && magic != kMagicTooMany) return bad;
    if (load_big_endian<std::uint32_t>(bytes.data() + 4) != crc32c(bytes.subspan(kCheckedFrom))) return bad;
    if (load_big_endian<std::int64_t>(bytes.data() + 8) != segment.base_offset().value()) return bad;
    if (load_big_endian<std::uint64_t>(bytes.data() + 16) != segment.end_position().value()) return bad;
    if (magic == kMagicTooMany) return Error(Errc::invalid, segment.path() + " has too many keys for an index");
    KeyIndex index(segment.base_offset());
    index.entries_.reserve(bytes.size() / kEntryBytes);
    for (auto at = kHeadBytes; at < bytes.size(); at += kEntryBytes) {
        index.entries_.emplace_back(load_big_endian<std::uint64_t>(bytes.data() + at),
                                    load_big_endian<std::int32_t>(bytes.data() + at + 8));
    }
    return index;
}

Result<void> KeyIndex::store(FileSystem& files, const Segment& segment) const {
    std::vector<std::byte> bytes(kHeadBytes + entries_.size() * kEntryBytes);
    auto* at = bytes.data() + kHeadBytes;
    for (const auto& [hash, offset] : entries_) {
        store_big_endian(at, hash);
        store_big_endian(at + 8, offset);
        at += kEntryBytes;
    }
    return write(files, segment, kFileMagic, bytes);
}

Result<void> KeyIndex::store_too_many(FileSystem& files, const Segment& segment) {
    std::vector<std::byte> bytes(kHeadBytes);
    return write(files, segment, kMagicTooMany, bytes);
}

std::optional<Offset> KeyIndex::last_of(std::string_view key) const {
    const auto hash = hash_of(key);
    const auto found = std::lower_bound(entries_.begin(), entries_.end(), hash,
                                        [](const auto& entry, std::uint64_t wanted) { return entry.first < wanted; });
    if (found == entries_.end() || found->first != hash) return std::nullopt;
    return base_offset_ + found->second;
}

}  // namespace sluice::storage
