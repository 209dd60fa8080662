#include "agent/log/files.hpp"

#include "storage/gapless_from.hpp"
#include "storage/key_index.hpp"
#include "storage/log_dir.hpp"
#include "storage/log_id_file.hpp"
#include "storage/offset_index.hpp"
#include "storage/recovery.hpp"
#include "storage/segment.hpp"
#include "storage/swap_check.hpp"

#include <algorithm>

namespace sluice::agent {

using storage::Errc;
using storage::Error;
using storage::FilePosition;
using storage::Offset;
using storage::Result;

namespace {

Result<StreamFiles> look_into(storage::FileSystem& files, std::string directory, std::string stream) {
    StreamFiles found;
    found.stream = std::move(stream);
    found.directory = std::move(directory);
    const auto names = files.list(found.directory);
    if (!names) return names.error();
    for (const auto& name : *names) {
        if (const auto base = storage::parse_segment_file_name(name, storage::kLogSuffix)) {
            found.segments.push_back(*base);
        } else if (storage::is_set_aside(name)) {
            found.set_aside.push_back(name);
        } else if (storage::is_leftover(name)) {
            found.left_over.push_back(name);
        }
    }
    for (const auto& name : *names) {
        const auto swap = storage::parse_swap_file_name(name);
        if (!swap) continue;
        const auto check = storage::check_swap(files, found.directory, *swap);
        if (!check || check->originals_stay) continue;
        std::erase_if(found.segments, [&](Offset base) { return base >= swap->base && base < swap->next; });
        found.segments.push_back(swap->base);
        found.swaps[swap->base] = name;
    }
    std::sort(found.segments.begin(), found.segments.end());
    if (const auto id = storage::load_log_id(files, found.directory)) found.log_id = *id;
    const auto marks = storage::load_batch_marks(files, found.directory);
    if (!marks) return marks.error();
    found.marks = *marks;
    if (const auto from = storage::load_gapless_from(files, found.directory)) found.gapless_from = *from;
    return found;
}

/// @return false where `on_batch` has ended the walk
Result<bool> walk_segment(const storage::File& segment, const std::string& path, FilePosition at, FilePosition end,
                          Offset base_offset, bool closed, const storage::BatchMarks& marks, const OnBatch& on_batch,
                          const OnDamage& on_damage) {
    std::vector<std::byte> bytes;
    auto at_least = base_offset;
    while (at < end) {
        const auto batch = storage::read_intact_batch(segment, at, end, at_least, marks, bytes);
        if (!batch) return batch.error();
        if (*batch) {
            if (!on_batch(**batch, bytes)) return false;
            at_least = (*batch)->next_offset();
            at = at + (*batch)->size_bytes;
            continue;
        }
        const auto next = storage::find_intact_batch(segment, at, end, at_least, marks);
        if (!next) return next.error();
        if (*next == at) continue;  // completed meanwhile
        if (!*next && closed) on_damage(path, at, end);
        if (!*next) break;
        on_damage(path, at, **next);
        at = **next;
    }
    return true;
}

/// A closed segment whose indexes are its own; nullptr: it has none, as it is the last one, or is about to be replaced.
Result<std::unique_ptr<storage::Segment>> closed_segment(storage::FileSystem& files, const StreamFiles& stream,
                                                         Offset base) {
    const auto next = std::upper_bound(stream.segments.begin(), stream.segments.end(), base);
    // The index that is there is still that of a segment that the new file stands for.
    if (next == stream.segments.end() || stream.swaps.contains(base)) return std::unique_ptr<storage::Segment>();
    const auto status = files.status(stream.segment_path(base));
    if (!status) return status.error();
    auto directory =
        std::make_shared<const storage::StreamDirectory>(storage::StreamDirectory{stream.directory, stream.marks});
    return std::make_unique<storage::Segment>(files, std::move(directory), base, *next, *status);
}

}  // namespace

std::string StreamFiles::segment_path(Offset base_offset) const {
    const auto swap = swaps.find(base_offset);
    return directory + "/" +
           (swap == swaps.end() ? storage::segment_file_name(base_offset, storage::kLogSuffix) : swap->second);
}

Result<std::vector<StreamFiles>> find_streams(storage::FileSystem& files, const std::string& data_dir,
                                              const std::string& only) {
    const auto names = files.list(data_dir + "/log");
    if (!names) return names.error();
    std::vector<StreamFiles> streams;
    std::string all;
    for (const auto& name : *names) {
        if (!name.ends_with(storage::kPartitionSuffix)) continue;
        auto stream = name.substr(0, name.size() - storage::kPartitionSuffix.size());
        all += (all.empty() ? "" : ", ") + stream;
        if (!only.empty() && stream != only) continue;
        auto found = look_into(files, storage::stream_directory(data_dir, stream), stream);
        if (found) {
            streams.push_back(std::move(*found));
        } else if (found.error().kind() != Errc::not_found) {
            StreamFiles unreadable;
            unreadable.stream = stream;
            unreadable.directory = storage::stream_directory(data_dir, stream);
            unreadable.unreadable = found.error();
            streams.push_back(std::move(unreadable));
        }
    }
    if (!only.empty() && streams.empty()) {
        return Error(Errc::not_found, data_dir + "/log: there is no stream \"" + only + "\" (there are: " + all + ")");
    }
    return streams;
}

Result<Offset> first_offset_since(storage::FileSystem& files, const StreamFiles& stream, storage::Timestamp timestamp) {
    for (const auto base : stream.segments) {
        const auto found = first_offset_in_segment(files, stream, base, timestamp);
        if (!found && found.error().kind() == Errc::not_found) continue;
        if (!found) return found.error();
        if (*found) return **found;
    }
    return Offset(0);
}

Result<std::optional<Offset>> first_offset_in_segment(storage::FileSystem& files, const StreamFiles& stream,
                                                      Offset base, storage::Timestamp timestamp) {
    const auto segment = closed_segment(files, stream, base);
    if (!segment) return segment.error();
    if (!*segment) return std::optional(base);
    return (*segment)->look_up(timestamp);
}

Result<StreamFiles> look_again(storage::FileSystem& files, const StreamFiles& stream) {
    return look_into(files, stream.directory, stream.stream);
}

FilePosition start_in_segment(storage::FileSystem& files, const StreamFiles& stream, const storage::File& segment,
                              Offset base_offset, FilePosition end, Offset from) {
    if (from <= base_offset) return FilePosition(0);
    const auto path = stream.directory + "/" + storage::segment_file_name(base_offset, storage::kIndexSuffix);
    const auto file = files.open(path, storage::OpenMode::read);
    if (!file) return FilePosition(0);
    const auto index = storage::OffsetIndex::load(**file, base_offset, end.value());
    if (!index) return FilePosition(0);
    // The index is a hint: what it names must be a batch, and not too late.
    const auto position = index->look_up(from);
    std::vector<std::byte> bytes;
    const auto batch = storage::read_intact_batch(segment, position, end, base_offset, stream.marks, bytes);
    return batch && *batch && (*batch)->base_offset <= from ? position : FilePosition(0);
}

bool segment_lacks_key(storage::FileSystem& files, const StreamFiles& stream, Offset base, const std::string& key) {
    const auto segment = closed_segment(files, stream, base);
    if (!segment || !*segment) return false;
    const auto index = storage::KeyIndex::load(files, **segment);
    return index && !index->last_of(key);
}

Result<void> walk_batches(storage::FileSystem& files, const StreamFiles& stream, Offset from,
                          const std::optional<std::string>& key, const OnBatch& on_batch, const OnDamage& on_damage,
                          const OnHole& on_hole) {
    auto now = stream;  // as it is now: a running agent deletes segments and makes one of several
    auto position = from;
    const auto met = [&](Offset next) {
        const auto first = std::max({position, now.segments.front(), now.gapless_from.value_or(next)});
        if (first < next) on_hole(first, next);
    };
    const auto noting = [&](const storage::BatchHeader& header, const std::vector<std::byte>& bytes) {
        if (header.next_offset() <= position) return true;
        met(header.base_offset);
        position = header.next_offset();
        return on_batch(header, bytes);
    };
    const auto holding_position = [&] {
        const auto after = std::upper_bound(now.segments.begin(), now.segments.end(), position);
        return after == now.segments.begin() ? after : std::prev(after);
    };
    for (auto base = holding_position(); base != now.segments.end();) {
        const bool closed = std::next(base) != now.segments.end();
        if (!key || !segment_lacks_key(files, now, *base, *key)) {
            const auto path = now.segment_path(*base);
            const auto segment = files.open(path, storage::OpenMode::read);
            if (!segment && segment.error().kind() == Errc::not_found) {
                auto found = look_into(files, stream.directory, stream.stream);
                if (!found) return found.error();
                now = std::move(*found);
                base = holding_position();
                continue;
            }
            if (!segment) return segment.error();
            const auto size = (*segment)->size();
            if (!size) return size.error();
            const FilePosition end(*size);
            const auto start = start_in_segment(files, now, **segment, *base, end, position);
            const auto goes_on = walk_segment(**segment, path, start, end, *base, closed, now.marks, noting, on_damage);
            if (!goes_on) return goes_on.error();
            if (!*goes_on) break;
            if (closed) met(*std::next(base));
        }
        ++base;
        if (closed) position = std::max(position, *base);
    }
    return {};
}

}  // namespace sluice::agent
