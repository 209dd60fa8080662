// `sluice log verify`: reads every batch and says what is wrong, and apart from that what only looks wrong.
#include "agent/cli/log_files.hpp"
#include "storage/segment.hpp"
#include "storage/varint.hpp"

#include <algorithm>
#include <iostream>
#include <utility>

namespace sluice::agent {

namespace {

using storage::BatchHeader;
using storage::FilePosition;
using storage::Offset;
using storage::Tail;

constexpr std::size_t kIndexEntryBytes = 8;

/// Offsets that are missing before the batch at `at`.
struct Hole {
    FilePosition at;
    Offset first;
    Offset next;  ///< the batch's own
};

/// Walks one stream. A fault is damage or a hole; a note is what a crash or an earlier repair leaves behind.
class StreamCheck {
 public:
    StreamCheck(storage::FileSystem& files, const StreamFiles& stream) : files_(files), stream_(stream) {}

    storage::Result<void> run() {
        if (!stream_.log_id) fault(stream_.directory + "/log-id", "is missing or holds no UUID");
        for (const auto base : stream_.segments) {
            if (auto done = check_segment(base); !done) return done;
        }
        std::cout << stream_.stream << ": " << stream_.segments.size() << " segments, " << batches_ << " batches, "
                  << records_ << " records, " << bytes_ << " bytes, " << faults_
                  << (faults_ == 1 ? " fault\n" : " faults\n");
        return {};
    }

    [[nodiscard]] std::uint64_t faults() const { return faults_; }

 private:
    storage::Result<void> check_segment(Offset base) {
        const auto path = stream_.segment_path(base);
        const bool last = base == stream_.segments.back();
        const auto segment = files_.open(path, storage::OpenMode::read);
        if (!segment && segment.error().kind() == storage::Errc::not_found) {
            next_.reset();
            return {};  // deleted while we look, by a running agent
        }
        if (!segment) return segment.error();
        ends_.clear();
        holes_.clear();
        look_for_hole(FilePosition(0), base);
        next_ = base;
        const auto scan = storage::scan_segment(
            **segment, base, [&](FilePosition at, const BatchHeader& header, const std::vector<std::byte>& bytes) {
                check_batch(path, at, header, bytes);
            });
        if (!scan) return scan.error();
        for (const auto& damage : scan->damages) {
            fault_at(path, damage.from, std::to_string(damage.to - damage.from) + " damaged bytes");
        }
        for (const auto& hole : holes_) report_hole(path, base, hole);
        check_tail(path, *scan, last);
        next_ = scan->next_offset;
        bytes_ += scan->end.value();
        return check_index(base, last);
    }

    void check_batch(const std::string& path, FilePosition at, const BatchHeader& header,
                     const std::vector<std::byte>& bytes) {
        look_for_hole(at, header.base_offset);
        next_ = header.next_offset();
        ++batches_;
        records_ += static_cast<std::uint64_t>(header.record_count);
        ends_.emplace_back(at, header.last_offset());
        const auto batch = storage::DecodedBatch::decode(bytes);
        if (!batch) fault_at(path, at, batch.error().message());
    }

    void look_for_hole(FilePosition at, Offset offset) {
        if (next_ && *next_ != offset) holes_.push_back({at, *next_, offset});
    }

    void report_hole(const std::string& path, Offset base, const Hole& hole) {
        if (hole.next < hole.first) {
            fault_at(path, hole.at, "offset " + std::to_string(hole.next.value()) + " comes a second time");
            return;
        }
        const auto what = "offsets " + std::to_string(hole.first.value()) + " to " +
                          std::to_string(hole.next.value() - 1) + " are missing";
        const auto name = storage::segment_file_name(base, storage::kLogSuffix);
        const auto set_aside = std::find_if(stream_.set_aside.begin(), stream_.set_aside.end(),
                                            [&](const std::string& file) { return file.starts_with(name); });
        if (set_aside == stream_.set_aside.end())
            fault_at(path, hole.at, what);
        else
            note(path, hole.at, what + ": recovery has reported them, and keeps their bytes in " + *set_aside);
    }

    void check_tail(const std::string& path, const storage::SegmentScan& scan, bool last) {
        if (scan.tail == Tail::clean) return;
        const bool torn = scan.tail == Tail::torn;
        const std::string what = torn ? "ends in an unfinished batch" : "ends in reserved space";
        if (!last)
            fault_at(path, scan.end, what + ", and is not the last segment");
        else if (torn)
            note(path, scan.end, what + ": a write that did not finish, or goes on; the agent cuts it");
        else
            note(path, scan.end, what + ": the agent is running, or did not stop cleanly");
    }

    /// Each entry names a batch and its last offset. Only a closed segment's index is ever looked at by the agent.
    storage::Result<void> check_index(Offset base, bool last) {
        const auto path = stream_.directory + "/" + storage::segment_file_name(base, storage::kIndexSuffix);
        const auto bytes = storage::read_file(files_, path);
        if (!bytes && bytes.error().kind() != storage::Errc::not_found) return bytes.error();
        if (!bytes) {
            if (!last) note(path, FilePosition(0), "is missing: it is made anew when it is needed");
            return {};
        }
        const auto wrong = first_wrong_entry(*bytes, base);
        if (!wrong) return {};
        if (last)
            note(path, *wrong, "does not fit the segment: it is made anew when the segment is closed");
        else
            fault_at(path, *wrong, "index entry does not fit the segment");
        return {};
    }

    [[nodiscard]] std::optional<FilePosition> first_wrong_entry(const std::string& index, Offset base) const {
        auto batch = ends_.begin();
        for (std::size_t at = 0; at < index.size(); at += kIndexEntryBytes) {
            if (index.size() - at < kIndexEntryBytes) return FilePosition(at);
            const auto* entry = reinterpret_cast<const std::byte*>(index.data()) + at;
            const auto last_offset = base + storage::load_big_endian<std::int32_t>(entry);
            const auto position = storage::load_big_endian<std::int32_t>(entry + 4);
            while (batch != ends_.end() && batch->second < last_offset) ++batch;
            const bool fits = batch != ends_.end() && batch->second == last_offset && position >= 0 &&
                              batch->first == FilePosition(static_cast<std::uint64_t>(position));
            if (!fits) return FilePosition(at);
        }
        return std::nullopt;
    }

    void fault(const std::string& path, const std::string& what) {
        std::cout << path << ": " << what << '\n';
        ++faults_;
    }
    void fault_at(const std::string& path, FilePosition at, const std::string& what) {
        fault(path + ":" + std::to_string(at.value()), what);
    }
    static void note(const std::string& path, FilePosition at, const std::string& what) {
        std::cout << path << ":" << at.value() << ": note: " << what << '\n';
    }

    storage::FileSystem& files_;
    const StreamFiles& stream_;
    std::optional<Offset> next_;                         // the offset that must come next; nullopt: any
    std::vector<Hole> holes_;                            // of the segment
    std::vector<std::pair<FilePosition, Offset>> ends_;  // of the segment's batches: position, last offset
    std::uint64_t batches_ = 0;
    std::uint64_t records_ = 0;
    std::uint64_t bytes_ = 0;
    std::uint64_t faults_ = 0;
};

}  // namespace

int log_verify_command(const LogVerifyArguments& arguments) {
    const auto data_dir = data_dir_of(arguments.log);
    if (!data_dir) return kExitBadConfig;
    storage::PosixFileSystem files;
    const auto streams = find_streams(files, *data_dir, arguments.stream);
    if (!streams) return report_failure(streams.error());
    std::uint64_t faults = 0;
    for (const auto& stream : *streams) {
        StreamCheck check(files, stream);
        if (auto done = check.run(); !done) return report_failure(done.error());
        faults += check.faults();
    }
    std::cout.flush();
    return faults == 0 && std::cout ? kExitSuccess : kExitFailure;
}

}  // namespace sluice::agent
