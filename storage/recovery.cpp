#include "storage/recovery.hpp"

#include "storage/segment.hpp"

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

namespace sluice::storage {

namespace {

constexpr std::string_view kCleanedSuffix = ".log.cleaned";
constexpr std::size_t kCopyBytes = 256U << 10U;

Result<void> copy_range(const File& from, FilePosition begin, FilePosition end, File& to, FilePosition at) {
    std::vector<std::byte> buffer(kCopyBytes);
    while (begin < end) {
        const auto want = std::min<std::uint64_t>(buffer.size(), end - begin);
        const auto got = from.read_at(begin, std::span(buffer).first(want));
        if (!got) return got.error();
        if (*got == 0) return Error(Errc::corrupt, "segment became shorter while it was read");
        if (auto done = to.write_at(at, std::span(buffer).first(*got)); !done) return done;
        begin = begin + *got;
        at = at + *got;
    }
    return {};
}

Result<void> keep_damaged_bytes(FileSystem& files, const File& segment, const std::string& segment_path,
                                const Damage& damage) {
    const auto path = segment_path + ".damaged-" + std::to_string(damage.from.value());
    auto file = files.open(path, OpenMode::create);
    if (!file) return file.error();
    if (auto done = copy_range(segment, damage.from, damage.to, **file, FilePosition(0)); !done) return done;
    return (*file)->sync_data();
}

/// Writes the intact ranges aside, syncs, and renames the result over the segment.
Result<void> rewrite_without(FileSystem& files, const std::string& directory, const File& segment,
                             const std::string& path, const std::string& cleaned_path, const SegmentScan& scan) {
    auto cleaned = files.open(cleaned_path, OpenMode::create);
    if (!cleaned) return cleaned.error();
    FilePosition begin(0);
    FilePosition at(0);
    const auto copy_up_to = [&](FilePosition end) -> Result<void> {
        auto done = copy_range(segment, begin, end, **cleaned, at);
        at = at + (end - begin);
        return done;
    };
    for (const auto& damage : scan.damages) {
        if (auto done = copy_up_to(damage.from); !done) return done;
        begin = damage.to;
    }
    if (auto done = copy_up_to(scan.end); !done) return done;
    if (auto done = (*cleaned)->sync_data(); !done) return done;
    if (auto done = files.rename(cleaned_path, path); !done) return done;
    return files.sync_directory(directory);
}

}  // namespace

Result<void> remove_leftovers(FileSystem& files, const std::string& directory) {
    auto names = files.list(directory);
    if (!names) return names.error();
    for (const auto& name : *names) {
        if (!name.ends_with(kCleanedSuffix)) continue;
        if (auto done = files.remove(directory + "/" + name); !done) return done;
    }
    return {};
}

Result<SegmentScan> recover_segment(FileSystem& files, const std::string& directory, Offset base_offset,
                                    const std::function<void(const Damage&)>& on_damage) {
    const auto path = directory + "/" + segment_file_name(base_offset, kLogSuffix);
    auto file = files.open(path, OpenMode::read);
    if (!file) return file.error();
    auto scan = scan_segment(**file, base_offset);
    if (!scan || scan->damages.empty()) return scan;

    for (const auto& damage : scan->damages) {
        if (auto done = keep_damaged_bytes(files, **file, path, damage); !done) return done.error();
    }
    const auto cleaned = directory + "/" + segment_file_name(base_offset, kCleanedSuffix);
    if (auto done = rewrite_without(files, directory, **file, path, cleaned, *scan); !done) return done.error();
    for (const auto& damage : scan->damages) on_damage(damage);
    auto rewritten = files.open(path, OpenMode::read);
    if (!rewritten) return rewritten.error();
    return scan_segment(**rewritten, base_offset);
}

}  // namespace sluice::storage
