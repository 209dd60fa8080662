#include "storage/key_search.hpp"

#include "storage/key_index.hpp"
#include "storage/log_reader.hpp"

#include <algorithm>

namespace sluice::storage {

namespace {

/// The last record with the key from `from` up to `to`.
Result<std::optional<FoundRecord>> scan(const Log& log, std::string_view key, Offset from, Offset to) {
    std::optional<FoundRecord> found;
    LogReader reader(log, from);
    while (reader.position() < to) {
        const auto batch = reader.next();
        if (!batch) return batch.error();
        if (!*batch) break;
        for (const auto& record : (*batch)->records()) {
            if (record.offset >= to) return found;
            if (record.key == key) found = FoundRecord{record.offset, record.to_record()};
        }
    }
    return found;
}

}  // namespace

Result<std::optional<FoundRecord>> find_latest(FileSystem& files, const Log& log, std::string_view key) {
    const auto segments = log.segments().all();
    auto to = log.high_watermark();
    for (auto segment = segments.rbegin(); segment != segments.rend(); ++segment) {
        const auto base = (*segment)->base_offset();
        auto from = base;
        if ((*segment)->next_base()) {
            if (const auto index = KeyIndex::load(files, **segment)) {
                const auto last = index->last_of(key);
                if (!last) {
                    to = base;
                    continue;
                }
                from = *last;
            }
        }
        auto found = scan(log, key, from, to);
        // Another key of the same hash, or the segment was compacted meanwhile.
        if (found && !*found && from != base) found = scan(log, key, base, to);
        if (!found || *found) return found;
        to = base;
    }
    return std::optional<FoundRecord>();
}

}  // namespace sluice::storage
