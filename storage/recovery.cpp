#include "storage/recovery.hpp"

#include "storage/batch_builder.hpp"
#include "storage/gap_note.hpp"
#include "storage/offset_index.hpp"
#include "storage/segment.hpp"
#include "storage/swap_check.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace sluice::storage {

namespace {

constexpr std::string_view kSwapSuffix = ".swap";
constexpr std::string_view kAsideSuffix = ".new";
constexpr std::string_view kDamagedInfix = ".damaged-";
constexpr std::size_t kCopyBytes = 256U << 10U;

Result<void> copy_range(const File& from, FilePosition begin, FilePosition end, File& to, FilePosition at) {
    std::vector<std::byte> buffer(kCopyBytes);
    while (begin < end) {
        const auto want = at_most(buffer.size(), end - begin);
        const auto got = from.read_at(begin, std::span(buffer).first(want));
        if (!got) return got.error();
        if (*got == 0) return Error(Errc::corrupt, "segment became shorter while it was read");
        if (auto done = to.write_at(at, std::span(buffer).first(*got)); !done) return done;
        begin = begin + *got;
        at = at + *got;
    }
    return {};
}

/// A part of a file that is written: a range of another one, or that offsets are missing.
struct Piece {
    FilePosition from;
    FilePosition to;
    std::optional<EmptyBatch> gone{};
};

Result<void> write_pieces(FileSystem& files, const std::string& path, const File& segment,
                          const std::vector<Piece>& pieces, std::optional<Timestamp> modified) {
    if (auto done = files.remove(path); !done) return done;
    auto file = files.open(path, OpenMode::create);
    if (!file) return file.error();
    FilePosition at(0);
    for (const auto& piece : pieces) {
        if (piece.gone) {
            if (auto done = (*file)->write_at(at, piece.gone->bytes); !done) return done;
            at = at + piece.gone->bytes.size();
            continue;
        }
        if (auto done = copy_range(segment, piece.from, piece.to, **file, at); !done) return done;
        at = at + (piece.to - piece.from);
    }
    if (modified) {
        if (auto done = (*file)->set_modified(*modified); !done) return done;
    }
    if (auto done = (*file)->sync_data(); !done) return done.error().of_scrapped_file();
    return {};
}

/// Writes what set_damage_aside() needs besides the segment, and puts its paths into `written`.
Result<void> write_aside(FileSystem& files, const std::string& directory, Offset base_offset, const std::string& path,
                         const std::string& cleaned, const File& segment, const SegmentScan& scan,
                         const BatchMarks& marks, std::vector<std::string>& written) {
    std::vector<Piece> left;
    FilePosition begin(0);
    for (const auto& damage : scan.damages) {
        left.push_back({begin, damage.from});
        begin = damage.to;
        const auto kept = free_name(files, path + std::string(kDamagedInfix) + std::to_string(damage.from.value()));
        if (!kept) return kept.error();
        written.push_back(*kept);
        if (auto done = write_pieces(files, *kept, segment, {{damage.from, damage.to}}, {}); !done) return done;
        if (damage.next <= damage.first) continue;
        if (auto noted = files.open(directory + "/" + gap_file_name(damage.first, damage.next), OpenMode::create);
            !noted)
            return noted.error();
        const auto next = std::min(damage.next, base_offset + std::numeric_limits<std::int32_t>::max());
        if (damage.first < next) left.push_back({{}, {}, empty_batch(damage.first, next, marks)});
    }
    if (begin < scan.end) left.push_back({begin, scan.end});
    const auto status = files.status(path);
    written.push_back(cleaned);
    return write_pieces(files, cleaned, segment, left, status ? std::optional(status->modified) : std::nullopt);
}

constexpr std::size_t kEntriesTried = 8;

/// Where scanning can start: after the batch of the last index entry that holds.
SegmentScan recovery_point(FileSystem& files, const std::string& directory, Offset base_offset, const File& file,
                           const BatchMarks& marks) {
    SegmentScan scan(base_offset);
    const auto size = file.size();
    if (!size) return scan;
    auto index = load_indexes(files, directory, base_offset, *size);
    if (!index) return scan;
    std::vector<std::byte> bytes;
    const auto& entries = index->offsets.entries();
    for (std::size_t i = 0; i < std::min(entries.size(), kEntriesTried); ++i) {
        const auto entry = entries[entries.size() - 1 - i];
        const FilePosition at(static_cast<std::uint64_t>(entry.position));
        const auto header = read_intact_batch(file, at, FilePosition(*size), base_offset, marks, bytes);
        if (!header || !*header || (*header)->last_offset() - base_offset != entry.relative_last_offset) continue;
        auto times = index->times;
        times.truncate_after((*header)->last_offset());
        // A time index that is behind would hide records from a search by time.
        if (!times.max_timestamp() || *times.max_timestamp() < (*header)->max_timestamp) continue;
        index->offsets.truncate(entries.size() - i, **header);
        index->times = std::move(times);
        scan.index = std::move(*index);
        scan.end = scan.durable_to = at + (*header)->size_bytes;
        scan.next_offset = (*header)->next_offset();
        return scan;
    }
    return scan;
}

}  // namespace

std::string swap_file_name(Offset base_offset, Offset next_base) {
    return range_file_name(base_offset, next_base, kSwapSuffix);
}

std::optional<OffsetRange> parse_swap_file_name(std::string_view name) {
    return parse_range_file_name(name, kSwapSuffix);
}

Result<std::vector<Offset>> find_segments(FileSystem& files, const std::string& directory,
                                          const std::vector<std::string>& names) {
    std::vector<Offset> bases;
    for (const auto& name : names) {
        if (const auto base = parse_segment_file_name(name, kLogSuffix)) bases.push_back(*base);
    }
    std::sort(bases.begin(), bases.end());
    std::vector<Offset> found;
    for (const auto base : bases) {
        const auto path = directory + "/" + segment_file_name(base, kLogSuffix);
        const auto status = files.status(path);
        if (!status) return status.error();
        if (status->size_bytes > 0 || base == bases.back()) {
            found.push_back(base);
            continue;
        }
        if (auto done = remove_indexes(files, directory, base); !done) return done.error();
        if (auto done = files.remove(path); !done) return done.error();
    }
    return found;
}

Result<void> swap_in(FileSystem& files, const std::string& directory, Offset base_offset, Offset next_base) {
    auto names = files.list(directory);
    if (!names) return names.error();
    for (const auto& name : *names) {
        const auto base = parse_segment_file_name(name, kLogSuffix);
        if (!base || *base < base_offset || *base >= next_base) continue;
        if (auto done = remove_indexes(files, directory, *base); !done) return done;
        if (*base == base_offset) continue;  // replaced by the rename
        if (auto done = files.remove(directory + "/" + name); !done) return done;
    }
    // The old ones are gone for good before the new one has its name: after that nothing tells them apart.
    if (auto done = files.sync_directory(directory); !done) return done;
    auto done = files.rename(directory + "/" + swap_file_name(base_offset, next_base),
                             directory + "/" + segment_file_name(base_offset, kLogSuffix));
    if (!done) return done;
    return files.sync_directory(directory);
}

bool is_leftover(std::string_view name) {
    return name.ends_with(kSwapSuffix) || name.ends_with(kCleanedSuffix) || name.ends_with(kAsideSuffix);
}

bool is_set_aside(std::string_view name) {
    return name.find(std::string(kLogSuffix).append(kDamagedInfix)) != std::string_view::npos;
}

namespace {

/// A damaged one must not replace what is intact.
Result<void> finish_swap(FileSystem& files, const std::string& directory, OffsetRange range) {
    const auto check = check_swap(files, directory, range);
    if (!check) return check.error();
    if (!check->originals_stay) return swap_in(files, directory, range.base, range.next);
    if (auto done = files.remove(directory + "/" + swap_file_name(range.base, range.next)); !done) return done;
    return files.sync_directory(directory);
}

}  // namespace

Result<void> finish_swaps(FileSystem& files, const std::string& directory) {
    auto names = files.list(directory);
    if (!names) return names.error();
    for (const auto& name : *names) {
        if (name.ends_with(kSwapSuffix)) {
            const auto range = parse_swap_file_name(name);
            if (!range) continue;  // not ours
            if (auto done = finish_swap(files, directory, *range); !done) return done;
        } else if (is_leftover(name)) {
            if (auto done = files.remove(directory + "/" + name); !done) return done;
        }
    }
    return {};
}

Result<void> set_damage_aside(FileSystem& files, const std::string& directory, Offset base_offset, const File& segment,
                              const SegmentScan& scan, const BatchMarks& marks) {
    const auto path = directory + "/" + segment_file_name(base_offset, kLogSuffix);
    const auto cleaned = directory + "/" + segment_file_name(base_offset, kCleanedSuffix);
    std::vector<std::string> written;
    if (auto done = write_aside(files, directory, base_offset, path, cleaned, segment, scan, marks, written); !done) {
        // On a full disk nothing else may find room for as long as these are there.
        for (const auto& each : written) static_cast<void>(files.remove(each));
        return done;
    }
    // The positions change: an index that is left would point into the middle of batches.
    if (auto done = remove_indexes(files, directory, base_offset); !done) return done;
    if (auto done = files.sync_directory(directory); !done) return done;
    if (auto done = files.rename(cleaned, path); !done) return done;
    return files.sync_directory(directory);
}

Result<void> write_again(File& file, FilePosition from, FilePosition to) {
    if (auto done = copy_range(file, from, to, file, from); !done) return done;
    return file.sync_data();
}

Result<Offset> proven_end(FileSystem& files, const std::string& directory, Offset base_offset,
                          const BatchMarks& marks) {
    const auto index_file = files.open(directory + "/" + segment_file_name(base_offset, kIndexSuffix), OpenMode::read);
    // Whatever the segment's size is: it may have been cut.
    const auto index = index_file
                           ? OffsetIndex::load(**index_file, base_offset, std::numeric_limits<std::int32_t>::max())
                           : Result<OffsetIndex>(index_file.error());
    if (!index) return index.error().kind() == Errc::io ? Result<Offset>(index.error()) : base_offset;
    const auto file = files.open(directory + "/" + segment_file_name(base_offset, kLogSuffix), OpenMode::read);
    if (!file) return file.error();
    const auto size = (*file)->size();
    if (!size) return size.error();
    std::vector<std::byte> bytes;
    const auto& entries = index->entries();
    for (std::size_t i = 0; i < std::min(entries.size(), kEntriesTried); ++i) {
        const auto entry = entries[entries.size() - 1 - i];
        const auto last = base_offset + entry.relative_last_offset;
        const FilePosition at(static_cast<std::uint64_t>(entry.position));
        if (at.value() >= *size) return last + 1;
        const auto header = read_intact_batch(**file, at, FilePosition(*size), base_offset, marks, bytes);
        if (!header) return header.error();
        if (!*header) return last + 1;
        if ((*header)->last_offset() == last) return base_offset;
        // Another batch is there: it is the entry that is wrong.
    }
    return base_offset;
}

Result<SegmentScan> recover_segment(FileSystem& files, const std::string& directory, Offset base_offset,
                                    Offset durable_end, const BatchMarks& marks,
                                    const std::function<void(const Damage&)>& on_damage) {
    const auto path = directory + "/" + segment_file_name(base_offset, kLogSuffix);
    auto file = files.open(path, OpenMode::read);
    if (!file) return file.error();
    const auto proven = proven_end(files, directory, base_offset, marks);
    if (!proven) return proven.error();
    durable_end = std::max(durable_end, *proven);
    auto scan = recovery_point(files, directory, base_offset, **file, marks);
    scan.durable_end = durable_end;
    if (auto done = scan_on(**file, scan, marks); !done) return done.error();
    scan.lost_end = scan.next_offset < durable_end;
    if (scan.tail == Tail::torn && scan.lost_end) {
        const auto size = (*file)->size();
        if (!size) return size.error();
        scan.damages.push_back({scan.known_end(), FilePosition(*size), scan.next_offset, durable_end});
    }
    if (scan.next_offset <= durable_end) scan.durable_to = scan.end;
    if (scan.damages.empty()) return scan;
    const auto aside = set_damage_aside(files, directory, base_offset, **file, scan, marks);
    if (!aside && aside.error().kind() != Errc::no_space) return aside.error();
    for (const auto& damage : scan.damages) on_damage(damage);
    if (!aside) {
        // Readers pass over the bytes, and tell what was there for as long as nothing else stands for its offsets; the
        // cleaner sets them aside when there is room.
        scan.no_room = true;
        scan.end = std::max(scan.end, scan.damages.back().to);
        scan.next_offset = std::max(scan.next_offset, scan.damages.back().next);
        return scan;
    }
    auto rewritten = files.open(path, OpenMode::read);
    if (!rewritten) return rewritten.error();
    auto cleaned = scan_segment(**rewritten, base_offset, marks);
    if (!cleaned) return cleaned;
    cleaned->durable_to = cleaned->end;
    cleaned->durable_end = durable_end;
    cleaned->lost_end = scan.lost_end;
    return cleaned;
}

}  // namespace sluice::storage
