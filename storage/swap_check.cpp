#include "storage/swap_check.hpp"

#include "storage/batch_scan.hpp"
#include "storage/gapless_from.hpp"
#include "storage/log_id_file.hpp"
#include "storage/recovery.hpp"

#include <algorithm>
#include <limits>

namespace sluice::storage {

namespace {

/// What intact batches stand for.
struct Covered {
    std::int64_t offsets = 0;
    Offset without_hole_to;  // from `needed_from` on
};

Result<SegmentScan> scan_covered(const File& file, Offset base, Offset needed_from, const BatchMarks& marks,
                                 Covered& covered) {
    covered.without_hole_to = std::max(base, needed_from);
    return scan_segment(file, base, marks, [&](FilePosition, const BatchHeader& header, const auto&) {
        covered.offsets += header.last_offset_delta + 1;
        if (header.base_offset > covered.without_hole_to) return;
        covered.without_hole_to = std::max(covered.without_hole_to, header.next_offset());
    });
}

std::string fault_of(const SegmentScan& scan, const Covered& covered, OffsetRange range, bool gapless) {
    if (!scan.damages.empty()) return "damaged bytes at " + std::to_string(scan.damages.front().from.value());
    if (scan.tail != Tail::clean) return "no batch at " + std::to_string(scan.end.value());
    if (scan.next_offset > range.next) return "offsets beyond its range";
    // The last batch of a segment reaches no further (segment_rewriter.cpp).
    const auto next = std::min(range.next, range.base + std::numeric_limits<std::int32_t>::max());
    if (gapless && covered.without_hole_to < next)
        return "nothing stands for offset " + std::to_string(covered.without_hole_to.value());
    return {};
}

/// How many offsets the segments of the range stand for.
Result<std::int64_t> covered_by_originals(FileSystem& files, const std::string& directory, OffsetRange range,
                                          const BatchMarks& marks) {
    const auto names = files.list(directory);
    if (!names) return names.error();
    std::int64_t offsets = 0;
    for (const auto& name : *names) {
        const auto base = parse_segment_file_name(name, kLogSuffix);
        if (!base || *base < range.base || *base >= range.next) continue;
        const auto file = files.open(directory + "/" + name, OpenMode::read);
        if (!file) return file.error();
        Covered covered;
        const auto scan = scan_covered(**file, *base, *base, marks, covered);
        if (!scan) return scan.error();
        offsets += covered.offsets;
    }
    return offsets;
}

}  // namespace

Result<SwapCheck> check_swap(FileSystem& files, const std::string& directory, OffsetRange range) {
    const auto file = files.open(directory + "/" + swap_file_name(range.base, range.next), OpenMode::read);
    if (!file) return file.error();
    const auto gapless_from = load_gapless_from(files, directory);
    if (!gapless_from) return gapless_from.error();
    const auto marks = load_batch_marks(files, directory);
    if (!marks) return marks.error();
    Covered covered;
    const auto scan = scan_covered(**file, range.base, gapless_from->value_or(range.next), *marks, covered);
    if (!scan) return scan.error();
    SwapCheck check{fault_of(*scan, covered, range, gapless_from->has_value()), false};
    if (check.fault.empty()) return check;
    const auto originals = covered_by_originals(files, directory, range, *marks);
    if (!originals) return originals.error();
    check.originals_stay = *originals >= covered.offsets && *originals > 0;
    return check;
}

}  // namespace sluice::storage
