#include "agent/cli/log_files.hpp"

#include "storage/log_dir.hpp"
#include "storage/offset_index.hpp"
#include "storage/segment.hpp"

#include <algorithm>
#include <iostream>

namespace sluice::agent {

using storage::Errc;
using storage::Error;
using storage::FilePosition;
using storage::Offset;
using storage::Result;

namespace {

constexpr std::string_view kPartition = "-0";
constexpr std::string_view kSetAside = ".log.damaged-";

Result<StreamFiles> look_into(storage::FileSystem& files, const std::string& data_dir, std::string stream) {
    StreamFiles found{std::move(stream), {}, {}, {}, {}};
    found.directory = storage::stream_directory(data_dir, found.stream);
    const auto names = files.list(found.directory);
    if (!names) return names.error();
    for (const auto& name : *names) {
        if (const auto base = storage::parse_segment_file_name(name, storage::kLogSuffix)) {
            found.segments.push_back(*base);
        } else if (name.find(kSetAside) != std::string::npos) {
            found.set_aside.push_back(name);
        }
    }
    std::sort(found.segments.begin(), found.segments.end());
    if (auto text = storage::read_file(files, found.directory + "/log-id")) {
        while (text->ends_with('\n')) text->pop_back();
        found.log_id = storage::LogId::parse(*text);
    }
    return found;
}

/// Where to start in a segment for `from`. The index is a hint: what it names must be a batch, and not too late.
FilePosition start_of(storage::FileSystem& files, const StreamFiles& stream, const storage::File& segment,
                      Offset base_offset, FilePosition end, Offset from) {
    if (from <= base_offset) return FilePosition(0);
    const auto path = stream.directory + "/" + storage::segment_file_name(base_offset, storage::kIndexSuffix);
    const auto file = files.open(path, storage::OpenMode::read);
    if (!file) return FilePosition(0);
    const auto index = storage::OffsetIndex::load(**file, base_offset, end.value());
    if (!index) return FilePosition(0);
    const auto position = index->look_up(from);
    std::vector<std::byte> bytes;
    const auto batch = storage::read_intact_batch(segment, position, end, base_offset, bytes);
    return batch && *batch && (*batch)->base_offset <= from ? position : FilePosition(0);
}

/// @return false where `on_batch` has ended the walk
Result<bool> walk_segment(const storage::File& segment, const std::string& path, FilePosition at, FilePosition end,
                          Offset at_least, const OnBatch& on_batch, const OnDamage& on_damage) {
    std::vector<std::byte> bytes;
    while (at < end) {
        const auto batch = storage::read_intact_batch(segment, at, end, at_least, bytes);
        if (!batch) return batch.error();
        if (*batch) {
            if (!on_batch(**batch, bytes)) return false;
            at_least = (*batch)->next_offset();
            at = at + (*batch)->size_bytes;
            continue;
        }
        const auto next = storage::find_intact_batch(segment, at + 1, end, at_least);
        if (!next) return next.error();
        if (!*next) break;
        on_damage(path, at, **next);
        at = **next;
    }
    return true;
}

}  // namespace

std::optional<std::string> data_dir_of(const LogArguments& arguments) {
    if (arguments.data_dir) return arguments.data_dir;
    if (arguments.config_file.empty()) return Config().data_dir;
    auto loaded = load_data_dir(arguments.config_file);
    for (const auto& error : loaded.errors) std::cerr << to_string(error) << '\n';
    if (!loaded.errors.empty()) return std::nullopt;
    return std::move(loaded.data_dir);
}

int report_failure(const Error& error) {
    std::cerr << error.message() << '\n';
    return kExitFailure;
}

std::string StreamFiles::segment_path(Offset base_offset) const {
    return directory + "/" + storage::segment_file_name(base_offset, storage::kLogSuffix);
}

Result<std::vector<StreamFiles>> find_streams(storage::FileSystem& files, const std::string& data_dir,
                                              const std::string& only) {
    const auto names = files.list(data_dir + "/log");
    if (!names) return names.error();
    std::vector<StreamFiles> streams;
    std::string all;
    for (const auto& name : *names) {
        if (!name.ends_with(kPartition)) continue;
        auto stream = name.substr(0, name.size() - kPartition.size());
        all += (all.empty() ? "" : ", ") + stream;
        if (!only.empty() && stream != only) continue;
        auto found = look_into(files, data_dir, std::move(stream));
        if (found)
            streams.push_back(std::move(*found));
        else if (found.error().kind() != Errc::not_found)
            return found.error();
    }
    if (!only.empty() && streams.empty()) {
        return Error(Errc::not_found, data_dir + "/log: there is no stream \"" + only + "\" (there are: " + all + ")");
    }
    return streams;
}

Result<void> walk_batches(storage::FileSystem& files, const StreamFiles& stream, Offset from, const OnBatch& on_batch,
                          const OnDamage& on_damage) {
    auto base = std::upper_bound(stream.segments.begin(), stream.segments.end(), from);
    if (base != stream.segments.begin()) --base;
    for (; base != stream.segments.end(); ++base) {
        const auto path = stream.segment_path(*base);
        const auto segment = files.open(path, storage::OpenMode::read);
        if (!segment && segment.error().kind() == Errc::not_found) continue;
        if (!segment) return segment.error();
        const auto size = (*segment)->size();
        if (!size) return size.error();
        const FilePosition end(*size);
        const auto start = start_of(files, stream, **segment, *base, end, from);
        const auto goes_on = walk_segment(**segment, path, start, end, *base, on_batch, on_damage);
        if (!goes_on) return goes_on.error();
        if (!*goes_on) break;
    }
    return {};
}

}  // namespace sluice::agent
